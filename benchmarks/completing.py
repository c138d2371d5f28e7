"""Completion on TAB, compared with `ls -q`, both in a bash that has already loaded the completion script."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import Command, NotMeasured, run_in_turn
from benchmarks.workspace import FIRST_ID, Workspace
from tests.helpers.sandbox import Sandbox

_TIMES = 21
_SCRIPT = Path(__file__).parents[1] / "completions" / "hldctl.bash"
_TAB = """COMP_LINE='hldctl show ' COMP_POINT=12 COMP_WORDS=(hldctl show '') COMP_CWORD=2
_hldctl {hldctl} '' show
printf '%s\\n' "${{COMPREPLY[@]}}" """


def measure(workspace: Workspace) -> Iterator[Metric]:
    if not shutil.which("bash"):
        raise NotMeasured("bash is not installed")
    with workspace.small_home() as sandbox:
        hldctl = shlex.quote(str(Path(sys.executable).with_name("hldctl")))
        tab = _bash_command(sandbox, _TAB.format(hldctl=hldctl))
        if FIRST_ID[:8] not in tab.run().output:
            raise NotMeasured("bash does not complete an id")
        ours, listings = run_in_turn(tab.wall_ms, _bash_command(sandbox, f"{hldctl} ls -q\n:").wall_ms, _TIMES)
        against = Samples("hldctl ls -q", "ms", listings)
        yield Metric("an id on TAB", Samples("completion in bash", "ms", ours), against, paired=True)


def _bash_command(sandbox: Sandbox, code: str) -> Command:
    source = f"source {shlex.quote(str(_SCRIPT))}\n{code}"
    return Command(["bash", "--norc", "-c", source], sandbox.environment, sandbox.work)
