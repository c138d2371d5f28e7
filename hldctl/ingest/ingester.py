"""The ingester: read new lines of the journal, reduce them, and commit the result with the offset reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hldctl.ingest.arrival_times import ArrivalTimes
from hldctl.ingest.file_snapshots import FileSnapshots
from hldctl.ingest.journal import Batch, JournalReader, LongLine
from hldctl.ingest.reducer import Reducer
from hldctl.ingest.state import ReducerState
from hldctl.paths import SessionFiles
from hldctl.private_files import touch
from hldctl.protocol.restart import FoundMessage, Restart, load_run_ends
from hldctl.store import approvals, events, maintenance
from hldctl.store.connection import current_connection
from hldctl.store.session import Session
from hldctl.system import malloc
from hldctl.system.clock import current_time_ms

if TYPE_CHECKING:
    from hldctl.protocol.check import CheckTry

# After more batches than this in a row, release memory: it is not needed again soon.
_MANY_BATCHES = 8


class Ingester:
    """The ingester of a journal, from the offset in the database on. A batch is one transaction: a crash loses nothing.

    Not reusable after an exception; create a new one, which resumes from the last commit.
    """

    def __init__(self, session: Session, files: SessionFiles, notified_feed_id: int = 0) -> None:
        """`notified_feed_id` is the id of the last event that the feed already has, for a replay of the journal."""
        self._session_id: str = session.id
        self._run_id: str = session.run_id
        self._working_dir: str = session.working_dir
        self._notified_feed_id = notified_feed_id
        self._change_signal = str(files.change_signal)
        self._reducer = Reducer(
            session.id,
            ReducerState.from_json(session.fold_state, session.result_content, session.structured_output),
            lambda tool_id, tool_name: approvals.interrupting_denial(
                current_connection(), session.id, tool_id, tool_name
            ),
        )
        self._snapshots = FileSnapshots(session, files)
        self._checkpointer = maintenance.WalCheckpointer()
        self._written_columns: dict[str, Any] = {}
        self._run_ends: list[Restart | FoundMessage | CheckTry] = [*load_run_ends(session), *_last_check(session)]
        self.costs = 0
        """The number of times that a cost was recorded."""
        self._journal = JournalReader(files.journal, self.state.offset)
        try:
            self._arrival_times = ArrivalTimes(files.arrival_times, self.state.offset)
        except BaseException:
            self._journal.close()
            raise

    @property
    def state(self) -> ReducerState:
        return self._reducer.state

    def catch_up(self) -> None:
        """Ingest all complete lines that the journal has now."""
        if self._is_note_due(self.state.offset):
            # Note it at once, and not only with the first output of the next run.
            self._ingest(Batch([], self.state.offset, self.state.offset))
        batches = 0
        while (batch := self._journal.next_batch()) is not None:
            self._ingest(batch)
            batches += 1
        if batches > _MANY_BATCHES:
            current_connection().release_memory()
            malloc.release_free_memory()

    def finish(self) -> None:
        """Ingest the rest, including a last line without newline, and settle what it cost.

        Call after the process has exited.
        """
        self.catch_up()
        if (batch := self._journal.last_batch()) is not None:
            self._ingest(batch)
        if self._reducer.settle():
            self._ingest(Batch([], self.state.offset, self.state.offset))

    def close(self) -> None:
        self._journal.close()
        self._arrival_times.close()

    def _note_run_ends(self, offset: int) -> None:
        """Add the notes at the ends of runs up to `offset`: of restarts and of the last check; also in a replay."""
        while self._is_note_due(offset):
            event = self._run_ends[self.state.restarts_told]
            if isinstance(event, Restart):
                self._reducer.begin_run(event)
            elif isinstance(event, FoundMessage):
                self._reducer.add_found_message(event)
            else:
                self._reducer.end_check(event.note, event.ended_at or event.began_at, passed=event.passed)

    def _is_note_due(self, offset: int) -> bool:
        index = self.state.restarts_told
        return index < len(self._run_ends) and offset >= self._run_ends[index].offset

    def _ingest(self, batch: Batch) -> None:
        reducer = self._reducer
        self._arrival_times.cover(batch.end)
        self._note_run_ends(batch.start)
        covered, arrived_at = -1, 0
        for end, line in batch.lines_with_ends():
            # The time of the last byte before the newline: that comes later if a run was cut off and another follows.
            if covered < end - 1:
                covered, arrived_at = self._arrival_times.find_mark(end - 1)
            if isinstance(line, LongLine):
                reducer.apply_head(line.head, line.length, end, arrived_at)
            else:
                reducer.apply(line, arrived_at)
            if self._run_ends:
                self._note_run_ends(end)
        reducer.state.offset = batch.end
        columns = {
            name: value for name, value in reducer.state.columns().items() if self._written_columns.get(name) != value
        }
        progress = {"journal_offset": batch.end, "fold_state": reducer.state.to_padded_json()}
        snapshot_rows = [self._snapshots.build_row(snapshot) for snapshot in reducer.snapshots]
        step = events.Step(
            reducer.rows,
            reducer.completed_tools,
            snapshot_rows,
            reducer.mcp_states,
            columns | progress,
            reducer.decisions,
            reducer.messages,
            reducer.spent,
        )
        events.record(
            self._session_id,
            self._run_id,
            step,
            current_time_ms(),
            working_dir=self._working_dir,
            told=self._notified_feed_id,
        )
        self._written_columns |= columns
        self.costs += bool(step.spent)
        reducer.clear_step()
        touch(self._change_signal)
        self._checkpointer.checkpoint_if_long()


def _last_check(session: Session) -> list[CheckTry]:
    """Return the last check, if no restart followed it whose note reports it."""
    if session.check_state is None:
        return []
    # Imported here: few sessions have a check.
    from hldctl.protocol.check import last_word

    return [] if (check := last_word(session)) is None else [check]
