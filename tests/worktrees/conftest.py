from __future__ import annotations

import pytest

from tests.helpers.git_repository import DOING, Repository
from tests.helpers.sandbox import Sandbox


@pytest.fixture
def repository(sandbox: Sandbox) -> Repository:
    """A repository in which sessions run their query as a shell command."""
    sandbox.fake_claude(DOING)
    return Repository(sandbox)
