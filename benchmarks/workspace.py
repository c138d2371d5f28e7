"""Private home directories for a run, removed with all their processes afterwards."""

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
from tests.helpers.seed_database import seed_sessions

# Number of sessions, and of events in each: after years of use, and after a day.
_LARGE = (20_000, 100)
_SMALL = (20, 100)
FIRST_ID = "9e3779b9-7f4a-7c15-f39c-c0605cedc835"
"""The oldest session of each home with sessions, whatever their number."""


class Workspace:
    def __init__(self) -> None:
        self._stack = ExitStack()
        self._large: Sandbox | None = None

    def __enter__(self) -> Workspace:
        # The path has to be short: sockets are created below it.
        self._root = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hldctl-")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _ignored_sigint():
            self._stack.close()

    @contextmanager
    def empty_home(self) -> Iterator[Sandbox]:
        """Create a new home without sessions."""
        root = Path(tempfile.mkdtemp(dir=self._root))
        sandbox = Sandbox(root / "s")
        try:
            yield sandbox
        finally:
            with _ignored_sigint():
                sandbox.close()
                claude_daemon.remove_sockets(sandbox)
                shutil.rmtree(root, ignore_errors=True)

    @contextmanager
    def one_session_home(self) -> Iterator[Sandbox]:
        with self.empty_home() as sandbox:
            seed_sessions(sandbox.state.root, 1, _SMALL[1])
            yield sandbox

    @contextmanager
    def small_home(self) -> Iterator[Sandbox]:
        """Create a home with 20 sessions of 100 events each."""
        with self.empty_home() as sandbox:
            seed_sessions(sandbox.state.root, *_SMALL)
            yield sandbox

    def large_home(self) -> Sandbox:
        """Return a home with 20,000 sessions and 2,000,000 events.

        Creating it takes most of a minute, so each call returns the same one.
        """
        if self._large is None:
            self._large = self._stack.enter_context(self.empty_home())
            seed_sessions(self._large.state.root, *_LARGE)
        return self._large


def hldctl_command(sandbox: Sandbox, *arguments: str | Path) -> Command:
    """Return a command that runs hldctl as a user does: with the installed script."""
    script = Path(sys.executable).with_name("hldctl")
    if not script.exists():
        raise NotMeasured(f"{script} does not exist: hldctl is not installed for this Python")
    return Command([script, *arguments], sandbox.environment, sandbox.work)


@contextmanager
def _ignored_sigint() -> Iterator[None]:
    """Ignore SIGINT, so that a second Ctrl-C does not stop the clean-up."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
