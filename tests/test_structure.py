"""The layers, and what each command may import: counted, not timed."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hldctl

PACKAGE = Path(hldctl.__file__).parent
LAYERS = ["rehearsal", "system", "claude", "store", "permission_hook", "supervisor", "sessions", "cli"]
"""From the lowest up; claude and store do not know each other."""


def imports(path: Path) -> set[str]:
    """The parts of hldctl that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "hldctl":
            names += [f"hldctl.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("hldctl.")}
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_downwards(layer: str) -> None:
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    if layer == "store":
        above.add("claude")
    for path in (PACKAGE / layer).rglob("*.py"):
        assert not imports(path) & above, path


def test_only_commands_print() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] not in ("cli", "rehearsal"):
            calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path


def modules_of(*arguments: str, home: Path) -> set[str]:
    """What is imported once the command has run."""
    code = (
        "import sys, json, atexit\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"from hldctl.cli.app import main\nmain({list(arguments)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"HLDCTL_HOME": str(home)}, capture_output=True, text=True, check=False
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_hook_that_answers_by_a_rule_loads_next_to_nothing() -> None:
    code = "import sys, hldctl.permission_hook.decide; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", code], env=_found(), capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & (
        HEAVY | {"peewee", "dataclasses", "pathlib", "subprocess", "ctypes", "urllib.parse", "inspect"}
    )
    ours = {name for name in loaded if name.startswith("hldctl.") and name.count(".") == 2}
    assert ours == {
        *("hldctl.claude.permission_hook", "hldctl.claude.stream", "hldctl.claude.tools", "hldctl.permission_hook.decide"),
        *("hldctl.store.approvals", "hldctl.store.feed_writer"),
    }


def _found() -> dict[str, str]:
    """Where modules are found, without what `site` itself imports."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


HEAVY = {"rich", "pydantic", "filelock", "psutil", "asyncio", "click", "http.server", "tomllib", "tomlkit"}


def test_completing_loads_less_than_the_quickest_listing(tmp_path: Path) -> None:
    modules_of("ls", home=tmp_path)
    code = "import sys; from hldctl.cli.completion import main; main.main('zsh', ['show', '']); print(*sys.modules)"
    environment = _found() | {"HLDCTL_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & (HEAVY | {"typer", "peewee", "subprocess"})
    assert len(loaded) < len(modules_of("ls", "-q", home=tmp_path))


@pytest.mark.parametrize("command", [["ls"], ["show", "last"], ["tail", "last"], ["wait", "last"]], ids=lambda c: c[0])
def test_a_reading_command_imports_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    # The first run makes the database.
    modules_of("ls", home=tmp_path)
    loaded = modules_of(*command, home=tmp_path)
    assert not loaded & HEAVY
    ours = {name for name in loaded if name.startswith("hldctl.")}
    assert not [name for name in ours if name.startswith(("hldctl.rehearsal", "hldctl.claude."))]
    assert "hldctl.ingest.reducer" not in ours


def test_a_supervisor_loads_nothing_that_only_some_need() -> None:
    """Each session has one, and each launch waits for it."""
    code = "import sys, hldctl.supervisor.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True)
    heavy = {"psutil", "typer", "peewee", "rich", "hashlib", "shutil", "tempfile", "random", "tomllib", "http.server"}
    assert not heavy & set(done.stdout.split())
