from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import other_machine
from tests.helpers.other_machine import OtherMachine
from tests.helpers.sandbox import Sandbox


@pytest.fixture
def build(sandbox: Sandbox, tmp_path: Path) -> Iterator[OtherMachine]:
    """A machine that commands of the sandbox reach as `build`."""
    with other_machine.other_machine(sandbox, tmp_path) as machine:
        yield machine
