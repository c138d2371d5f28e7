"""`launch --wait --as`, as a job runs it: it ends when the record has the end of the session."""

from __future__ import annotations

import signal
import uuid

from hldctl.protocol import link
from hldctl.store.database import open_for_reading
from tests.fleet.comparison import differences
from tests.helpers.postgres import Record
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually


def test_launch_returns_when_the_record_has_the_end(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    sandbox.serve_script("say Done.")
    chosen = str(uuid.uuid4())
    holding = sandbox.popen("fleet", "link")
    written_by = "SELECT about ->> 'pid' FROM hldctl.machines"
    eventually(lambda: record.rows(written_by) == [(str(holding.pid),)], "the link in the foreground")
    # It has the lock, so no other link runs.
    holding.send_signal(signal.SIGSTOP)
    launching = sandbox.popen("launch", "Go", "--wait", "-q", "--as", chosen)
    eventually(lambda: sandbox.run("wait", chosen).returncode == 0, "the session to end")
    with open_for_reading(sandbox.state):
        assert link.count_late(sandbox.state)
        assert not link.await_delivery(sandbox.state, 0.2)
    assert launching.poll() is None
    holding.send_signal(signal.SIGCONT)
    assert launching.communicate(timeout=TIMEOUT_SECONDS) == ("Done.\n", "")
    assert differences(record, sandbox) == []
    # Without --as, nobody waits for the record.
    holding.send_signal(signal.SIGSTOP)
    assert sandbox.launch("Go", "--wait", "-q") == "Done."
    holding.send_signal(signal.SIGCONT)
    holding.terminate()
    holding.communicate(timeout=TIMEOUT_SECONDS)
