"""The table in docs/performance.md, rendered from a result file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import document, table
from benchmarks.goals import median, p99, ratio
from benchmarks.metric import Metric
from benchmarks.result import InvalidResult, Result
from benchmarks.samples import Samples

ROOT = Path(__file__).parents[2]
PAGE = f"# Performance\n\nBefore.\n\n{document._BEGIN}the last one\n{document._END}\nAfter.\n"
LS = Metric(
    "ls",
    Samples("hldctl ls", "ms", (70, 71, 80)),
    Samples("baseline", "ms", (70, 71, 80)),
    paired=True,
    benchmark="commands",
    goals=(ratio(1.25),),
)
LINES = Samples("line to line", "ms", (1.5, 2, 40))
ONE_SESSION = Metric("1 session", LINES, benchmark="following", goals=(median(3), p99(15)))
SHOW = Metric("show", None, note="no Claude Code", benchmark="peers", goals=(ratio(0.65),))
MEASURED = Result({"hldctl": "0.1.0", "processor": "2 × a | b"}, (LS, ONE_SESSION, SHOW))


def test_new_table_replaces_the_previous_one(tmp_path: Path) -> None:
    page, file = tmp_path / "performance.md", tmp_path / "measured.json"
    page.write_text(PAGE)
    MEASURED.write(file)
    for _ in range(2):
        document.update_page(Result.read(file), page)
    text = page.read_text()
    assert text.startswith("# Performance\n\nBefore.\n")
    assert text.endswith("\nAfter.\n")
    assert "the last one" not in text
    assert text.count("### Commands") == 1
    assert "| processor | 2 × a \\| b |" in text
    assert "| ls | hldctl ls: 71 ms (70–80) | baseline: 71 ms (70–80) | ratio 1 | ratio ≤ 1.25 | reached |" in text


def test_each_goal_has_a_row_that_says_whether_it_is_reached() -> None:
    lines = table.render_markdown(MEASURED).splitlines()
    row = "| 1 session | line to line: 2 ms (1.5–40) |  |"
    assert f"{row} median 2 ms | median ≤ 3 ms | reached |" in lines
    assert f"{row} p99 40 ms | p99 ≤ 15 ms | not reached |" in lines
    assert "| show |  |  |  | ratio ≤ 0.65 | not measured: no Claude Code |" in lines
    assert lines[-1] == "2 goals reached, 1 not reached, 1 not measured."


def test_metric_without_goal_and_with_many_values_shows_p99() -> None:
    many = Metric("many", Samples("late", "ms", tuple(range(1, 101))), benchmark="following")
    few = Metric("few", Samples("late", "ms", (1, 2)), benchmark="following")
    lines = table.render_markdown(Result({}, (many, few))).splitlines()
    assert "| many | late: 50.5 ms (1–100) |  | p99 99 ms |  |  |" in lines
    assert "| few | late: 1.5 ms (1–2) |  |  |  |  |" in lines


def test_terminal_table_has_the_same_cells_in_columns() -> None:
    text = table.render_text(MEASURED)
    assert "hldctl: 0.1.0" in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("1 session")] == ["reached", "reached"]
    assert "p99 40 ms" in text


def test_performance_page_has_the_markers() -> None:
    page = document.PAGE.read_text()
    assert page.count(document._BEGIN) == page.count(document._END) == 1


@pytest.mark.parametrize("content", ["", "[]", '{"machine": {}}', '{"machine": {}, "figures": [1]}'])
def test_file_that_is_not_a_result_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    with pytest.raises(InvalidResult, match=r"other\.json is not a result"):
        Result.read(file)


def test_missing_file_is_reported_in_one_sentence(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "benchmarks.document", str(tmp_path / "missing.json")]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Cannot read ")
    assert done.stderr.endswith("missing.json: No such file or directory.\n")
