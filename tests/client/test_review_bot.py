"""The tutorial of the review bot, as it is written."""

from __future__ import annotations

import ast
import subprocess

from tests.helpers.doc_blocks import read_block
from tests.helpers.git_repository import Repository
from tests.helpers.sandbox import TIMEOUT_SECONDS, Completed, Sandbox

PAGE = "review-bot.md"


def run(sandbox: Sandbox, command: str, **variables: str) -> Completed:
    return subprocess.run(
        ["bash", "-ec", command],
        cwd=sandbox.work,
        env=sandbox.environment | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def prepare(sandbox: Sandbox) -> Repository:
    repository = Repository(sandbox)
    repository.write("parser.py", "def parse(text):\n    return text.split()\n")
    repository.commit("Add a parser")
    (sandbox.work / "review_bot.py").write_text(read_block(PAGE, "python"))
    (sandbox.work / "review.txt").write_text(read_block(PAGE, "text"))
    return repository


def test_bot_reviews_each_commit_once(sandbox: Sandbox) -> None:
    prepare(sandbox)
    for _ in range(2):
        outputs = [run(sandbox, command) for command in read_block(PAGE, "sh").splitlines()]
        assert [each.returncode for each in outputs] == [0, 0, 0], outputs
        assert outputs[0].stdout == "1 accepted, 0 not\n"
        assert len(sandbox.ok("ls", "-q").splitlines()) == 1
        assert "\n\nThe change does what its message says.\n" in outputs[2].stdout
    session = sandbox.show("last")
    assert session["title"].endswith(": Add a parser")
    assert session["permission_denials"] == []


def test_rejected_commit_is_the_exit_code(sandbox: Sandbox) -> None:
    prepare(sandbox)
    (sandbox.work / "review.txt").write_text(
        'call StructuredOutput {"accepted": false, "reasons": "It loses a line."}\n\nsay Done.'
    )
    done = run(sandbox, "python review_bot.py HEAD~1..HEAD", REHEARSE="review.txt")
    assert (done.returncode, done.stdout) == (1, "0 accepted, 1 not\n")
    assert "It loses a line." in (sandbox.work / "review.md").read_text()


def test_review_that_fails_is_not_accepted(sandbox: Sandbox) -> None:
    prepare(sandbox)
    (sandbox.work / "review.txt").write_text("say I forgot the form.")
    done = run(sandbox, "python review_bot.py HEAD~1..HEAD", REHEARSE="review.txt")
    assert (done.returncode, done.stdout) == (1, "0 accepted, 1 not\n")
    assert sandbox.show("last")["end_reason"] == "schema_mismatch"
    assert len((sandbox.work / "review.md").read_text().split()) > 5


def test_bot_has_about_forty_lines_of_code() -> None:
    statements = ast.unparse(ast.parse(read_block(PAGE, "python"))).splitlines()
    assert len([line for line in statements if line.strip()]) <= 40
