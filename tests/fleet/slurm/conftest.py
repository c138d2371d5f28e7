from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.postgres import Record
from tests.helpers.sandbox import Sandbox
from tests.helpers.slurm import Placing, Slurm, placing, running_slurm


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A cluster, one for all tests of a worker."""
    with running_slurm() as running:
        yield running


@pytest.fixture
def cluster(slurm: Slurm, sandbox: Sandbox, record: Record, tmp_path: Path, genuine_claude: Path) -> Iterator[Placing]:
    """A machine from which sessions are placed on two nodes."""
    with placing(slurm, sandbox, tmp_path / "nodes", record.url) as made:
        yield made
