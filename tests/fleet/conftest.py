from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hldctl.fleet.record.members import OPERATOR
from tests.helpers.postgres import Record, Server, fresh_record, running_server
from tests.helpers.sandbox import Sandbox

# `tom` is in ann's team, `eve` in none, and `op` is an operator.
ROLES = ("ann", "bob", "tom", "eve", "op")


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


@pytest.fixture(scope="session")
def roles(server: Server) -> Server:
    """The server, with the roles of these tests."""
    for role in ROLES:
        server.execute(f"CREATE ROLE {role} LOGIN")
    server.execute("CREATE ROLE web")
    server.execute("CREATE ROLE staff")
    server.execute("GRANT web TO ann, tom")
    server.execute("GRANT staff TO ann, bob, tom")
    server.execute(f"GRANT {OPERATOR} TO op")
    return server


@pytest.fixture
def shared(roles: Server) -> Iterator[Record]:
    """An empty record on that server."""
    with fresh_record(roles) as made:
        yield made
