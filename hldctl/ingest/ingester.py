"""From the journal into the database: reads what is new, folds it, commits it with the offset it reaches."""

from __future__ import annotations

from typing import Any

from hldctl.ingest.arrival_times import Arrivals
from hldctl.ingest.file_snapshots import Snapshots
from hldctl.ingest.journal import Batch, JournalReader, LongLine
from hldctl.ingest.reducer import Fold
from hldctl.ingest.state import FoldState
from hldctl.paths import SessionFiles, touch
from hldctl.protocol.restart import load_restarts
from hldctl.store import events, maintenance
from hldctl.store.connection import current
from hldctl.store.session import Session
from hldctl.system import malloc
from hldctl.system.clock import now

_MANY_BATCHES = 8
"""One after another: what they took is not needed again soon."""


class Recorder:
    """Goes on from where the database stands; each step is one transaction, so a death between two costs nothing.

    After an exception it is of no more use: a new one goes on from what was committed.
    """

    def __init__(self, session: Session, files: SessionFiles, told: int = 0) -> None:
        """`told` is the number of the last event that the feed has had, when the fold is done a second time."""
        self._session_id: str = session.id
        self._run_id: str = session.run_id
        self._working_dir: str = session.working_dir
        self._told = told
        self._changed = str(files.change_signal)
        self._fold = Fold(session.id, FoldState.from_json(session.fold_state, session.result_content))
        self._snapshots = Snapshots(session, files)
        self._log = maintenance.Log()
        self._written: dict[str, Any] = {}
        self._restarts = load_restarts(session)
        self._journal = JournalReader(files.journal, self.state.offset)
        try:
            self._arrivals = Arrivals(files.arrival_times, self.state.offset)
        except BaseException:
            self._journal.close()
            raise

    @property
    def state(self) -> FoldState:
        return self._fold.state

    def catch_up(self) -> None:
        """Folds all complete lines that the journal holds now."""
        if self._is_restart_due(self.state.offset):
            # Told at once, not only when the next run says something.
            self._record(Batch([], self.state.offset, self.state.offset))
        batches = 0
        while (batch := self._journal.next_batch()) is not None:
            self._record(batch)
            batches += 1
        if batches > _MANY_BATCHES:
            current().release_memory()
            malloc.give_back()

    def finish(self) -> None:
        """Folds what is left, a last line without its newline included, once nobody can write any more."""
        self.catch_up()
        if (batch := self._journal.last_batch()) is not None:
            self._record(batch)

    def close(self) -> None:
        self._journal.close()
        self._arrivals.close()

    def _tell_restarts(self, reached: int) -> None:
        """In the same place of the conversation whenever the journal is folded: where the run before ended."""
        while self._is_restart_due(reached):
            self._fold.begin_run(self._restarts[self.state.restarts_told])

    def _is_restart_due(self, reached: int) -> bool:
        told = self.state.restarts_told
        return told < len(self._restarts) and reached >= self._restarts[told].offset

    def _record(self, batch: Batch) -> None:
        fold = self._fold
        self._arrivals.cover(batch.end)
        self._tell_restarts(batch.start)
        covered, arrived_at = -1, 0
        for end, line in batch.ends():
            # Of its last byte but the newline, which comes later where a run was cut off and another follows.
            if covered < end - 1:
                covered, arrived_at = self._arrivals.mark_of(end - 1)
            if isinstance(line, LongLine):
                fold.add_head(line.head, line.length, end, arrived_at)
            else:
                fold.add(line, arrived_at)
            if self._restarts:
                self._tell_restarts(end)
        fold.state.offset = batch.end
        columns = {name: value for name, value in fold.state.columns().items() if self._written.get(name) != value}
        progress = {"journal_offset": batch.end, "fold_state": fold.state.stored()}
        taken = [self._snapshots.row(snapshot) for snapshot in fold.snapshots]
        step = events.Step(fold.rows, fold.completed_tools, taken, fold.mcp_states, columns | progress, fold.decisions)
        events.record(self._session_id, self._run_id, step, now(), working_dir=self._working_dir, told=self._told)
        self._written |= columns
        fold.begin_step()
        touch(self._changed)
        self._log.tend()
