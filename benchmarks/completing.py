"""TAB at a prompt, beside the quickest listing; both from a shell that knows the completion already."""

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


def measure(place: Workspace) -> Iterator[Metric]:
    if not shutil.which("bash"):
        raise NotMeasured("there is no bash here")
    with place.of_a_day() as sandbox:
        hldctl = shlex.quote(str(Path(sys.executable).with_name("hldctl")))
        tab = _in_bash(sandbox, _TAB.format(hldctl=hldctl))
        if FIRST_ID[:8] not in tab.run().output:
            raise NotMeasured("bash completes no id")
        ours, listings = run_in_turn(tab.wall_ms, _in_bash(sandbox, f"{hldctl} ls -q\n:").wall_ms, _TIMES)
        against = Samples("hldctl ls -q", "ms", listings)
        yield Metric("an id on TAB", Samples("completion in bash", "ms", ours), against, paired=True)


def _in_bash(sandbox: Sandbox, words: str) -> Command:
    source = f"source {shlex.quote(str(_SCRIPT))}\n{words}"
    return Command(["bash", "--norc", "-c", source], sandbox.environment, sandbox.work)
