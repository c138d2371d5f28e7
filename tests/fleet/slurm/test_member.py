"""Sessions that a plain member of the record places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.postgres import Record
from tests.helpers.sandbox import Sandbox, eventually
from tests.helpers.slurm import Placing, Slurm, placing


@pytest.fixture
def anns(slurm: Slurm, sandbox: Sandbox, shared: Record, tmp_path: Path, genuine_claude: Path) -> Iterator[Placing]:
    """A cluster that ann uses, who does not own the record."""
    with placing(slurm, sandbox, tmp_path / "nodes", f"{shared.url} user=ann") as made:
        made.serve_script('call Bash {"command": "echo one > file"}\n\nsay Done.')
        yield made


def test_member_places_a_session_and_answers_it(anns: Placing) -> None:
    session_id = anns.here.launch("Go", "--on", "slurm", "--approvals")
    (request,) = eventually(lambda: json.loads(anns.here.ok("approvals", "--fleet", "--json")), "a request")
    anns.here.ok("approve", request["id"])
    assert anns.here.run("wait", session_id, "--results").stdout == "Done.\n"
    assert anns.node_of(session_id).show(session_id)["status"] == "completed"


def test_member_interrupts_a_session_that_waits(anns: Placing) -> None:
    session_id = anns.here.launch("Go", "--on", "slurm", "--engine-option=--hold")
    assert anns.here.ok("interrupt", session_id) == f"{session_id} interrupted\n"
    assert anns.here.show(session_id)["status"] == "interrupted"


def test_session_of_a_member_whose_job_is_gone_is_lost(anns: Placing) -> None:
    session_id = anns.here.launch("Go", "--on", "slurm", "--engine-option=--hold")
    (job,) = anns.jobs()
    anns.slurm.run("scancel", job)
    eventually(lambda: anns.here.show(session_id)["end_reason"] == "lost", "the loss to be seen")


def test_running_session_is_interrupted_from_where_it_was_placed(anns: Placing) -> None:
    session_id = anns.here.launch("Go", "--on", "slurm", "--approvals")
    eventually(lambda: json.loads(anns.here.ok("approvals", "--fleet", "--json")), "a request")
    assert anns.here.ok("interrupt", session_id) == f"{session_id} interrupted\n"
