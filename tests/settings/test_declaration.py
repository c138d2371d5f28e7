"""A setting of a session is declared once."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import hldctl
from tests.helpers.sandbox import Sandbox

DECLARATION = """
    colour: str | None = setting(
        None,
        Option(
            "colour", TEXT, "Colour of the session.", config="The colour of new sessions.", example='"blue"'
        ),
    )
"""
ROOT = Path(hldctl.__file__).parents[1]


def copy_with_new_option(place: Path) -> int:
    """Copy the package, add an option to it, and return how many files that took."""
    package = place / "hldctl"
    shutil.copytree(ROOT / "hldctl", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "scripts", place / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    policy, migrations = package / "settings" / "run_policy.py", package / "store" / "migrations.py"
    policy.write_text(policy.read_text() + DECLARATION)
    text, count = re.subn(
        r"\n\)\n\n\ndef migrations_from",
        '\n    ("ALTER TABLE sessions ADD COLUMN colour TEXT",),\n)\n\n\ndef migrations_from',
        migrations.read_text(),
    )
    assert count == 1
    migrations.write_text(text)
    before = {path.relative_to(ROOT): path.read_bytes() for path in (ROOT / "hldctl").rglob("*.py")}
    after = {path.relative_to(place): path.read_bytes() for path in package.rglob("*.py")}
    return sum(before[path] != text for path, text in after.items())


def test_new_option_takes_two_files_and_works_everywhere(sandbox: Sandbox, tmp_path: Path) -> None:
    assert copy_with_new_option(tmp_path) == 2
    sandbox.environment["PYTHONPATH"], sandbox.is_other_version = str(tmp_path), True
    sandbox.serve_script("say Done.")
    for command in ("launch", "continue"):
        assert "--colour TEXT " in sandbox.ok(command, "--help")
    session_id = sandbox.ok("launch", "Go", "--colour", "red").strip()
    sandbox.wait_for_end(session_id)
    assert sandbox.show(session_id)["colour"] == "red"
    files = sandbox.files(session_id)
    assert json.loads(files.session_record.read_text())["colour"] == "red"
    sandbox.ok("config", "set", "colour", "green")
    configured = {each["key"]: each["value"] for each in json.loads(sandbox.ok("config", "--json"))}
    assert configured["colour"] == "green"
    second = sandbox.ok("launch", "Go").strip()
    sandbox.wait_for_end(second)
    assert sandbox.show(second)["colour"] == "green"
    inherited = sandbox.ok("continue", session_id, "Again").strip()
    sandbox.wait_for_end(inherited)
    assert sandbox.show(inherited)["colour"] == "red"
    assert [session["colour"] for session in json.loads(sandbox.ok("ls", "--json"))] == ["red", "green", "red"]


def test_man_pages_and_completion_have_a_new_option(tmp_path: Path) -> None:
    copy_with_new_option(tmp_path)
    code = (
        "from scripts import completion_table, generate, reference\n"
        "from hldctl.config import schema\n"
        "print(completion_table.render_table(), reference.commands(), reference.configuration())\n"
        "print(*generate.generated_files().values())\n"
    )
    for directory in ("docs", "completions", "man"):
        shutil.copytree(ROOT / directory, tmp_path / directory)
    for name in ("pyproject.toml", "CHANGELOG.md", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.count("Colour of the session.") >= 4
    assert "The colour of new sessions." in printed.stdout
