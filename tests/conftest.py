from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.sandbox import Sandbox, claude_binary


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that run the real Claude Code: those that request it, directly or by another fixture."""
    for item in items:
        if "genuine_claude" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.claude)


@pytest.fixture(scope="session")
def genuine_claude() -> Path:
    """The real Claude Code; a test that needs it fails without it."""
    return claude_binary()


@pytest.fixture(scope="session", autouse=True)
def default_signal_handlers() -> None:
    """Undo what nohup and a shell's background jobs do, which ignore these signals: all that tests start would, too."""
    for number, usual in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture
def sandbox(tmp_path: Path, genuine_claude: Path) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path / "sandbox")
    yield made
    made.close()
