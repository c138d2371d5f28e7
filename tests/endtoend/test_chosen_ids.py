"""`launch --as` and `continue --as`: the caller chooses the id, so that a launch that is repeated happens once."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox
from tests.helpers.statuses import ALLOW_BASH, WAITING_SCRIPT, statuses


def test_new_session_gets_the_chosen_id(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    chosen = str(uuid.uuid4())
    assert sandbox.launch("Go", "--as", chosen.upper(), "--wait") == "Done."
    assert sandbox.show(chosen)["status"] == "completed"


def test_second_launch_with_an_id_starts_nothing(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    chosen = str(uuid.uuid4())
    options = ("--as", chosen, "--name", "nightly", *ALLOW_BASH)
    assert sandbox.launch("Go", *options) == chosen
    again = sandbox.run("launch", "Go", *options)
    assert (again.returncode, again.stdout.strip()) == (0, chosen)
    assert again.stderr == f"hldctl: session {chosen} was launched before\n"
    waiting = sandbox.popen("launch", "Go", "--wait", "-q", *options)
    sandbox.release()
    assert waiting.communicate(timeout=TIMEOUT_SECONDS) == ("Done.\n", "")
    assert sandbox.launch("Go", "--wait", "-q", *options) == "Done."
    assert list(statuses(sandbox)) == [chosen]


def test_simultaneous_launches_with_an_id_start_one_session(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    chosen = str(uuid.uuid4())
    # Creates the database.
    sandbox.ok("ls")
    launches = [sandbox.popen("launch", "Go", "--as", chosen, "--name", "nightly") for _ in range(6)]
    outputs = [each.communicate(timeout=TIMEOUT_SECONDS) for each in launches]
    assert [each.returncode for each in launches] == [0] * 6, outputs
    assert {output for output, _ in outputs} == {f"{chosen}\n"}
    assert sorted("launched before" in notes for _, notes in outputs) == [False] + [True] * 5
    assert list(statuses(sandbox)) == [chosen]


def test_continuation_gets_the_chosen_id_once(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.\n\nsay Two.")
    first = sandbox.launch("Go")
    sandbox.wait_for_end(first)
    chosen = str(uuid.uuid4())
    assert sandbox.ok("continue", first, "More", "--as", chosen).strip() == chosen
    again = sandbox.run("continue", first, "More", "--as", chosen, "--json")
    assert (again.returncode, json.loads(again.stdout)["id"]) == (0, chosen)
    assert {*statuses(sandbox)} == {first, chosen}


@pytest.mark.parametrize("command", [["launch"], ["continue", "last"]], ids=lambda command: command[0])
def test_id_that_is_not_a_uuid_is_refused(command: list[str], sandbox: Sandbox) -> None:
    done = sandbox.run(*command, "Go", "--as", "1234")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'1234' is not a UUID" in done.stderr
