"""Commands in turn with what they are compared to."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import pytest

from benchmarks.timing import Command, NotMeasured, run_in_turn


def python(code: str, directory: Path) -> Command:
    return Command([sys.executable, "-c", code], {}, directory)


def test_both_run_in_turn_and_the_first_of_each_counts_for_nothing() -> None:
    moments = count()
    firsts, seconds = run_in_turn(lambda: next(moments), lambda: next(moments), 3)
    assert (firsts, seconds) == ((2, 4, 6), (3, 5, 7))


def test_a_command_is_timed_until_it_has_ended(tmp_path: Path) -> None:
    ended = python("import time; time.sleep(0.2); print('done')", tmp_path).run()
    assert ended.output == "done\n"
    assert ended.wall_ms >= 200
    assert ended.cpu_ms > 0


def test_a_command_that_fails_gives_no_figure_but_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="ended with 3: no such thing"):
        python("import sys; print('no such thing', file=sys.stderr); sys.exit(3)", tmp_path).run()
