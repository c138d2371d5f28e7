"""A supervisor uses no more resources for a long session than for a short one; tests.soak.measure runs full sizes."""

from __future__ import annotations

import psutil

from hldctl.ingest.file_snapshots import FileSnapshots
from hldctl.ingest.reducer import Snapshot
from hldctl.store.session import Session
from tests.helpers.sandbox import Sandbox, eventually
from tests.soak.long_session import run_long_session

MEGABYTE = 1 << 20


def test_many_events_do_not_grow_the_supervisor_or_the_log(sandbox: Sandbox) -> None:
    # The first part is long enough to have batches of all sizes, up to the largest.
    life = run_long_session(sandbox, events=160_000, length=50, early=80_000)
    assert life.events == 160_001
    assert life.growth < 2 * MEGABYTE
    assert life.late.descriptors <= life.early.descriptors
    assert life.largest_log < 32 * MEGABYTE
    assert life.faults == []


def test_long_lines_do_not_grow_the_supervisor_or_the_log(sandbox: Sandbox) -> None:
    life = run_long_session(sandbox, events=500, length=100_000, early=150)
    assert life.journal > 35 * MEGABYTE
    assert life.growth < 4 * MEGABYTE
    assert life.late.descriptors <= life.early.descriptors
    assert life.largest_log < 32 * MEGABYTE
    assert life.faults == []


BURST = """
print(json.dumps({"type": "system", "subtype": "init"}), flush=True)
while not os.path.exists("go"): time.sleep(0.05)
for n in range(LINES):
    call = {"type": "tool_use", "id": f"toolu_{n}", "name": "Bash", "input": {"command": "x" * 900}}
    print(json.dumps({"type": "assistant", "message": {"role": "assistant", "content": [call]}}))
sys.stdout.flush()
while not os.path.exists("end"): time.sleep(0.05)
"""


def test_memory_of_a_burst_is_returned(sandbox: Sandbox) -> None:
    lines = 20_000
    sandbox.fake_claude(f"LINES = {lines}\n{BURST}")
    session_id = sandbox.launch("Burst")
    eventually(lambda: sandbox.sql("SELECT journal_offset FROM sessions") > [(0,)], "the first line to be recorded")
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    before = supervisor.memory_full_info().uss
    (sandbox.work / "go").touch()
    last = "SELECT max(sequence) FROM conversation_events"
    eventually(lambda: sandbox.sql(last) == [(lines + 1,)], "the burst to be recorded")
    eventually(lambda: supervisor.memory_full_info().uss < before + MEGABYTE, "its memory to be returned")
    (sandbox.work / "end").touch()
    sandbox.wait_for_end(session_id)


def test_reading_directories_and_missing_files_leaks_no_descriptor(sandbox: Sandbox) -> None:
    files = sandbox.files("session")
    files.directory.mkdir(parents=True)
    columns = {"id": "session", "working_dir": str(sandbox.work), "additional_directories": (), "source": None}
    snapshots = FileSnapshots(Session.from_columns(columns), files)
    before = psutil.Process().num_fds()
    for number in range(50):
        for path in (".", "gone"):
            assert (
                snapshots.build_row(Snapshot(f"{path}{number}", path, "shown", is_complete=False, created_at=0)).content
                == "shown"
            )
    assert psutil.Process().num_fds() == before
