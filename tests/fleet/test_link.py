"""The link: what happens on a machine is in the record, and a session never depends on it."""

from __future__ import annotations

from tests.fleet.comparison import differences, recorded_rows
from tests.helpers.postgres import Record
from tests.helpers.sandbox import Sandbox, eventually

WORK = 'call Bash {"command": "echo one"}\n\nsay Done.'


def test_session_is_in_the_record_with_all_its_events(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    sandbox.serve_script(WORK)
    sandbox.launch("Go", "--allowed-tools", "Bash", "--wait")
    eventually(lambda: not sandbox.processes_with_argument("hldctl.fleet.link"), "the link to end")
    assert differences(record, sandbox) == []
    assert len(recorded_rows(record)["events"]) == len(sandbox.events("last"))
