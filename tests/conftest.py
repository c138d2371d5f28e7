from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.sandbox import Sandbox, claude_binary


@pytest.fixture(scope="session", autouse=True)
def genuine_claude() -> Path:
    return claude_binary()


@pytest.fixture(scope="session", autouse=True)
def heeded_signals() -> None:
    """nohup and a shell's background jobs ignore them, and so would all that tests start."""
    for number, usual in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path / "sandbox")
    yield made
    made.close()
