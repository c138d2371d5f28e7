"""The command that measures; how long anything takes is no matter of these tests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import running, stream
from benchmarks.catalog import BENCHMARKS
from benchmarks.goals import GOALS
from benchmarks.metric import Metric
from benchmarks.result import Result
from benchmarks.samples import Samples
from benchmarks.timing import NotMeasured
from benchmarks.workspace import FIRST_ID, Workspace
from tests.helpers.sandbox import Sandbox, eventually

ROOT = Path(__file__).parents[2]


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks", *map(str, words)]


def test_the_help_names_each_measure() -> None:
    done = subprocess.run(command("--help"), capture_output=True, text=True, cwd=ROOT, check=True)
    for name in BENCHMARKS:
        assert name in done.stdout


def test_a_part_cannot_stand_for_the_whole_in_the_documentation() -> None:
    done = subprocess.run(
        command("--only", "floors", "--document"), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 2
    assert "leave out --only" in done.stderr


def test_one_measure_prints_its_table_writes_its_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    temporary, file = tmp_path / "tmp", tmp_path / "floors.json"
    temporary.mkdir()
    words = command("--only", "floors", "--output", file)
    environment = os.environ | {"TMPDIR": str(temporary)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "1/1 floors" in done.stderr
    measured = Result.read(file)
    assert {"hldctl", "Claude Code", "Python", "SQLite", "kernel", "processor", "command"} <= measured.machine.keys()
    assert re.match(r"\d+% of the processor time", measured.machine["stolen by the host"])
    for figure in measured.figures:
        assert figure.measured is not None
        assert figure.measured.lowest > 0
        assert figure.name in done.stdout
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("genuine_claude")
def test_interrupted_it_writes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    temporary, file = tmp_path / "tmp", tmp_path / "peers.json"
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary)}
    words = command("--only", "supervising", "--output", file)
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        eventually(lambda: list(temporary.rglob("stdout.jsonl")), "a session to be measured")
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    assert not file.exists()
    assert list(temporary.iterdir()) == []


def test_a_measure_that_fails_owes_its_figures_and_the_next_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(place: Workspace) -> Iterator[Metric]:
        yield Metric("ls", Samples("hldctl ls", "ms", (1,)), Samples("floor", "ms", (1,)), paired=True)
        raise NotMeasured("there is no floor")

    def working(place: Workspace) -> Iterator[Metric]:
        yield Metric("more", Samples("more", "ms", (1,)))

    monkeypatch.setitem(BENCHMARKS, "commands", failing)
    monkeypatch.setitem(BENCHMARKS, "floors", working)
    figures = list(running.run(["commands", "floors"], lambda words: None))
    told = {figure.name: (figure.measured is not None, figure.note) for figure in figures}
    assert told.pop("ls") == (True, "")
    assert told.pop("more") == (True, "")
    assert told == dict.fromkeys(GOALS["commands"].keys() - {"ls"}, (False, "there is no floor"))


@pytest.mark.usefixtures("genuine_claude")
def test_a_filled_home_holds_the_session_that_is_shown() -> None:
    with Workspace() as place, place.of_a_day() as day:
        assert day.show(FIRST_ID)["id"] == FIRST_ID
        root = day.root
    assert not root.exists()


def test_each_line_of_a_burst_has_its_length_and_becomes_an_event(sandbox: Sandbox) -> None:
    lines = stream.write_burst(sandbox.root / "few", 300).read_bytes().splitlines(keepends=True)
    assert [len(line) for line in lines] == [stream.LINE_BYTES] * 300
    sandbox.claude(f"sys.stdout.write(open({str(sandbox.root / 'few')!r}).read())")
    session_id = sandbox.launch("Write")
    sandbox.ended(session_id)
    types = [event["event_type"] for event in sandbox.events(session_id)]
    assert types == ["message", *["message", "tool_call", "tool_result"] * 100]
