"""Where a run takes place: private homes that leave no process and no file behind."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from benchmarks import claude_daemon
from benchmarks.timing import Command, NotMeasured
from tests.helpers.sandbox import Sandbox
from tests.helpers.seed_database import fill

_YEARS = (20_000, 100)
"""Sessions after years of use, and the events of each."""
_DAY = (20, 100)
FIRST_ID = "9e3779b9-7f4a-7c15-f39c-c0605cedc835"
"""The oldest session of each home that is filled, however many it has."""


class Workspace:
    def __init__(self) -> None:
        self._stack = ExitStack()
        self._years: Sandbox | None = None

    def __enter__(self) -> Workspace:
        # Where sockets are made, paths have to be short.
        self._root = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hldctl-")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _undisturbed():
            self._stack.close()

    @contextmanager
    def empty(self) -> Iterator[Sandbox]:
        """A new home."""
        root = Path(tempfile.mkdtemp(dir=self._root))
        sandbox = Sandbox(root / "s")
        try:
            yield sandbox
        finally:
            with _undisturbed():
                sandbox.close()
                claude_daemon.remove_sockets(sandbox)
                shutil.rmtree(root, ignore_errors=True)

    @contextmanager
    def of_one_session(self) -> Iterator[Sandbox]:
        with self.empty() as sandbox:
            fill(sandbox.state.root, 1, _DAY[1])
            yield sandbox

    @contextmanager
    def of_a_day(self) -> Iterator[Sandbox]:
        """A home with 20 sessions of 100 events each."""
        with self.empty() as sandbox:
            fill(sandbox.state.root, *_DAY)
            yield sandbox

    def of_years(self) -> Sandbox:
        """A home with 20,000 sessions and 2,000,000 events; it takes most of a minute to make, so there is but one."""
        if self._years is None:
            self._years = self._stack.enter_context(self.empty())
            fill(self._years.state.root, *_YEARS)
        return self._years


def hldctl_command(sandbox: Sandbox, *words: str | Path) -> Command:
    """As a user runs it: by the script that an installation makes."""
    script = Path(sys.executable).with_name("hldctl")
    if not script.exists():
        raise NotMeasured(f"there is no {script}: hldctl is not installed beside this Python")
    return Command([script, *words], sandbox.environment, sandbox.work)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not stop the tidying up."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
