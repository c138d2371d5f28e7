"""Timing of commands that are run in turn."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import pytest

from benchmarks.timing import Command, NotMeasured, run_in_turn


def python(code: str, directory: Path) -> Command:
    return Command([sys.executable, "-c", code], {}, directory)


def test_commands_run_in_turn_after_a_warm_up_that_does_not_count() -> None:
    calls = count()
    first_values, second_values = run_in_turn(lambda: next(calls), lambda: next(calls), 3)
    assert (first_values, second_values) == ((2, 4, 6), (3, 5, 7))


def test_command_is_timed_until_it_has_exited(tmp_path: Path) -> None:
    ended = python("import time; time.sleep(0.2); print('done')", tmp_path).run()
    assert ended.output == "done\n"
    assert ended.wall_ms >= 200
    assert ended.cpu_ms > 0


def test_failed_command_raises_with_its_error_output(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="ended with 3: no such thing"):
        python("import sys; print('no such thing', file=sys.stderr); sys.exit(3)", tmp_path).run()
