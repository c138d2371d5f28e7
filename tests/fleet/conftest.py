from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.postgres import Record, Server, fresh_record, running_server
from tests.helpers.sandbox import Sandbox


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server, one for all tests of a worker."""
    with running_server() as running:
        yield running


@pytest.fixture
def record(server: Server) -> Iterator[Record]:
    """An empty record."""
    with fresh_record(server) as made:
        yield made


@pytest.fixture
def other(tmp_path: Path, genuine_claude: Path) -> Iterator[Sandbox]:
    """Another machine: a state directory of its own."""
    made = Sandbox(tmp_path / "other")
    yield made
    made.close()
