"""The command `python -m benchmarks`, without checks of how long anything takes."""

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


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks", *map(str, arguments)]


def test_help_lists_each_benchmark() -> None:
    done = subprocess.run(command("--help"), capture_output=True, text=True, cwd=ROOT, check=True)
    for name in BENCHMARKS:
        assert name in done.stdout


def test_document_needs_a_complete_run() -> None:
    done = subprocess.run(
        command("--only", "baselines", "--document"), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 2
    assert "leave out --only" in done.stderr


def test_benchmark_prints_table_writes_file_and_cleans_up(tmp_path: Path) -> None:
    temporary, file = tmp_path / "tmp", tmp_path / "baselines.json"
    temporary.mkdir()
    argv = command("--only", "baselines", "--output", file)
    environment = os.environ | {"TMPDIR": str(temporary)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "1/1 baselines" in done.stderr
    measured = Result.read(file)
    assert {"hldctl", "Claude Code", "Python", "SQLite", "kernel", "processor", "command"} <= measured.machine.keys()
    assert re.match(r"\d+% of the processor time", measured.machine["stolen by the host"])
    for metric in measured.metrics:
        assert metric.measured is not None
        assert metric.measured.lowest > 0
        assert metric.name in done.stdout
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("genuine_claude")
def test_interrupted_run_writes_no_file_and_cleans_up(tmp_path: Path) -> None:
    temporary, file = tmp_path / "tmp", tmp_path / "peers.json"
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary)}
    argv = command("--only", "supervising", "--output", file)
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        # os.walk skips directories that the benchmark removes during the walk; Path.rglob raises (Python 3.11).
        eventually(
            lambda: any("stdout.jsonl" in files for _, _, files in os.walk(temporary)),
            "a session to be measured",
        )
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    assert not file.exists()
    assert list(temporary.iterdir()) == []


def test_failed_benchmark_reports_its_metrics_and_the_next_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(workspace: Workspace) -> Iterator[Metric]:
        yield Metric("ls", Samples("hldctl ls", "ms", (1,)), Samples("baseline", "ms", (1,)), paired=True)
        raise NotMeasured("no baseline")

    def working(workspace: Workspace) -> Iterator[Metric]:
        yield Metric("more", Samples("more", "ms", (1,)))

    monkeypatch.setitem(BENCHMARKS, "commands", failing)
    monkeypatch.setitem(BENCHMARKS, "baselines", working)
    metrics = list(running.run(["commands", "baselines"], lambda message: None))
    notes = {metric.name: (metric.measured is not None, metric.note) for metric in metrics}
    assert notes.pop("ls") == (True, "")
    assert notes.pop("more") == (True, "")
    assert notes == dict.fromkeys(GOALS["commands"].keys() - {"ls"}, (False, "no baseline"))


@pytest.mark.usefixtures("genuine_claude")
def test_home_with_sessions_contains_the_first_id() -> None:
    with Workspace() as workspace, workspace.small_home() as day:
        assert day.show(FIRST_ID)["id"] == FIRST_ID
        root = day.root
    assert not root.exists()


def test_each_line_of_a_burst_has_its_length_and_gives_an_event(sandbox: Sandbox) -> None:
    lines = stream.write_burst(sandbox.root / "few", 300).read_bytes().splitlines(keepends=True)
    assert [len(line) for line in lines] == [stream.LINE_BYTES] * 300
    sandbox.fake_claude(f"sys.stdout.write(open({str(sandbox.root / 'few')!r}).read())")
    session_id = sandbox.launch("Write")
    sandbox.wait_for_end(session_id)
    types = [event["event_type"] for event in sandbox.events(session_id)]
    assert types == ["message", *["message", "tool_call", "tool_result"] * 100]
