"""The recipes of docs/how-to/ for a conversation with a session, run unchanged except for paths."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.doc_blocks import read_block
from tests.helpers.sandbox import TIMEOUT_SECONDS, Completed, Sandbox, eventually

RECIPES = "how-to/recipes.md"
TALK = "how-to/talk.md"
SCRIPT = """
say Hello!

await message riskiest
say parser.py.

await message first
say README.md.

await message tests
say There are none.
"""


@pytest.fixture
def machine(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Install hldctl where pipx does."""
    programs = sandbox.home / ".local" / "bin"
    programs.mkdir(parents=True)
    (programs / "hldctl").symlink_to(Path(sys.executable).with_name("hldctl"))
    yield sandbox
    sandbox.run("interrupt", "--all")


def run(machine: Sandbox, script: str, input: str = "", cwd: Path | None = None) -> Completed:
    return subprocess.run(
        ["/bin/sh", "-ec", script],
        input=input,
        capture_output=True,
        text=True,
        cwd=cwd or machine.work,
        env=machine.environment,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def test_chat_answers_each_line(machine: Sandbox) -> None:
    machine.serve_script(SCRIPT)
    done = run(machine, read_block(RECIPES, "sh", section="## A chat in a shell"), input="riskiest\nother\nfirst\n")
    session = machine.show("last")
    answers = f"{session['id']}\nparser.py.\nNoted.\nREADME.md.\n{session['id']} completed\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, answers, "")


def test_kept_session_answers_questions(machine: Sandbox) -> None:
    machine.serve_script(SCRIPT)
    launch, *rest = read_block(TALK, "sh", section="## Keep a session open").splitlines()
    questions = read_block(TALK, "sh", section="## Wait for the answer").splitlines()
    lines = [f"{launch} > /dev/null", rest[0], *questions, 'echo "$answer"', *rest[1:]]
    done = run(machine, "\n".join(lines))
    session_id = machine.show("last")["id"]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-4:] == ["parser.py.", "README.md.", "There are none.", f"{session_id} completed"]


def test_git_hook_sends_each_commit(machine: Sandbox) -> None:
    machine.serve_script(SCRIPT)
    hook = machine.work / ".git" / "hooks" / "post-commit"
    commit = "git -c user.name=A -c user.email=a@example.org commit -q --allow-empty -m"
    assert run(machine, "git init -q").returncode == 0
    hook.write_text(read_block(RECIPES, "sh", section="## News of each commit"))
    hook.chmod(0o755)
    # Without a session it is silent.
    done = run(machine, f"{commit} 'Before the session'")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    session_id = machine.launch("Hello", "--keep-open", "--name", "review")
    assert run(machine, f"{commit} 'Fix the parser'").returncode == 0
    eventually(lambda: "Fix the parser" in machine.ok("tail", session_id), "the model to have the message")
    assert run(machine, f"HLDCTL_SESSION_ID={session_id} {commit} 'By the session'").returncode == 0
    texts = [text for (text,) in machine.sql("SELECT text FROM messages WHERE text IS NOT NULL")]
    assert [text.partition(": ")[2].strip() for text in texts] == ["Fix the parser"]


def test_request_is_answered_from_the_phone(machine: Sandbox) -> None:
    machine.serve_script('call Bash {"command": "touch allowed"}\n\nsay Done.')
    programs = machine.home / ".local" / "bin"
    (programs / "curl").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > arguments.new\nmv arguments.new arguments\n')
    (programs / "curl").chmod(0o755)
    machine.environment["PATH"] = f"{programs}:{machine.environment['PATH']}"
    configuration = read_block(RECIPES, "toml", section="## Answers from the phone")
    machine.configure(configuration)
    assert tomllib.loads(configuration)["on_approval"].startswith("curl ")
    session_id = machine.launch("Hello", "--approvals")
    sent = machine.work / "arguments"
    eventually(sent.exists, "the notification")
    _, _, title, _, message, url = sent.read_text().splitlines()
    request, _, call = message.partition(" ")
    assert (title, url[:8]) == (f"Title: Bash in {machine.work}", "https://")
    assert "touch allowed" in call
    program, _, command = shlex.split(read_block(RECIPES, "sh", section="## Answers from the phone"))
    assert program == "ssh"
    assert run(machine, command.replace("3f2a", request[:4]), cwd=machine.home).returncode == 0
    assert machine.wait_for_end(session_id)["result_content"] == "Done."
    assert (machine.work / "allowed").exists()
