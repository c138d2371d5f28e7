"""The table, drawn from a file."""

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
    Samples("least", "ms", (70, 71, 80)),
    paired=True,
    measure="commands",
    goals=(ratio(1.25),),
)
LINES = Samples("line to line", "ms", (1.5, 2, 40))
ONE_SESSION = Metric("1 session", LINES, measure="following", goals=(median(3), p99(15)))
SHOW = Metric("show", None, note="no Claude Code", measure="peers", goals=(ratio(0.65),))
MEASURED = Result({"hldctl": "0.1.0", "processor": "2 × a | b"}, (LS, ONE_SESSION, SHOW))


def test_the_table_of_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page, file = tmp_path / "performance.md", tmp_path / "measured.json"
    page.write_text(PAGE)
    MEASURED.write(file)
    for _ in range(2):
        document.update_page(Result.read(file), page)
    drawn = page.read_text()
    assert drawn.startswith("# Performance\n\nBefore.\n")
    assert drawn.endswith("\nAfter.\n")
    assert "the last one" not in drawn
    assert drawn.count("### Commands") == 1
    assert "| processor | 2 × a \\| b |" in drawn
    assert "| ls | hldctl ls: 71 ms (70–80) | least: 71 ms (70–80) | ratio 1 | ratio ≤ 1.25 | reached |" in drawn


def test_each_goal_has_a_line_that_says_whether_it_is_reached() -> None:
    lines = table.render_markdown(MEASURED).splitlines()
    told = "| 1 session | line to line: 2 ms (1.5–40) |  |"
    assert f"{told} median 2 ms | median ≤ 3 ms | reached |" in lines
    assert f"{told} p99 40 ms | p99 ≤ 15 ms | not reached |" in lines
    assert "| show |  |  |  | ratio ≤ 0.65 | not measured: no Claude Code |" in lines
    assert lines[-1] == "2 goals reached, 1 not reached, 1 not measured."


def test_what_has_no_goal_and_many_values_is_told_with_its_p99() -> None:
    many = Metric("many", Samples("late", "ms", tuple(range(1, 101))), measure="following")
    few = Metric("few", Samples("late", "ms", (1, 2)), measure="following")
    lines = table.render_markdown(Result({}, (many, few))).splitlines()
    assert "| many | late: 50.5 ms (1–100) |  | p99 99 ms |  |  |" in lines
    assert "| few | late: 1.5 ms (1–2) |  |  |  |  |" in lines


def test_a_terminal_gets_the_same_in_columns() -> None:
    shown = table.render_text(MEASURED)
    assert "hldctl: 0.1.0" in shown
    assert [line.split()[-1] for line in shown.splitlines() if line.startswith("1 session")] == ["reached", "reached"]
    assert "p99 40 ms" in shown


def test_the_page_has_a_place_for_it() -> None:
    page = document.PAGE.read_text()
    assert page.count(document._BEGIN) == page.count(document._END) == 1


@pytest.mark.parametrize("content", ["", "[]", '{"machine": {}}', '{"machine": {}, "figures": [1]}'])
def test_a_file_that_holds_something_else_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    with pytest.raises(InvalidResult, match=r"other\.json holds no measurement"):
        Result.read(file)


def test_drawing_what_is_not_there_is_refused_in_one_sentence(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.document", str(tmp_path / "missing.json")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("missing.json cannot be read: No such file or directory.\n")
