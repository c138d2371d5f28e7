"""Damaged databases under the real command, as `damaged_database` does it within one process."""

from __future__ import annotations

from random import Random

import pytest

from hldctl.errors import ExitCode
from tests.fuzz.damage import COMMANDS, Template, damage
from tests.sandbox import Sandbox


@pytest.mark.parametrize("seed", range(4))
def test_the_real_command_repairs_what_is_damaged(sandbox: Sandbox, seed: int) -> None:
    chance = Random(seed)
    sandbox.ok("ls")
    template = Template(sandbox.state.root)
    kinds = damage(chance, template)
    words = [command.replace("ID", template.ids[0]).split() for command in chance.sample(COMMANDS, 3)]
    for command in [["doctor"], *words]:
        done = sandbox.run(*command)
        assert "Traceback" not in done.stderr, (kinds, command)
        assert done.returncode in (ExitCode.DONE, ExitCode.NO_SUCH_SESSION, ExitCode.ENVIRONMENT), (kinds, command)
    fixed = sandbox.run("doctor", "--fix")
    assert "Traceback" not in fixed.stderr, kinds
    assert "error    database" not in fixed.stdout, (kinds, fixed.stdout)
    for command in words:
        sandbox.ok(*command)
