"""`hldctl stats`: sums over sessions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hldctl.cli.render.format import compact_duration, count, percent
from tests.helpers.sandbox import Sandbox, eventually
from tests.helpers.terminal import Terminal

FIELDS = """key sessions completed failed interrupted running success_rate cost_usd input_tokens output_tokens
cache_creation_input_tokens cache_read_input_tokens num_turns duration_ms run_time_ms""".split()

COSTS = """
query = json.loads(sys.stdin.readline())["message"]["content"]
if "hang" in query:
    time.sleep(600)
usage = {"inputTokens": 10, "outputTokens": 1500, "cacheCreationInputTokens": 3, "cacheReadInputTokens": 40}
result = {"type": "result", "subtype": "success", "is_error": "bad" in query, "result": "ok", "num_turns": 2}
if "free" not in query:
    result |= {"total_cost_usd": 3.0 if "dear" in query else 1.0, "modelUsage": {"m": usage}}
print(json.dumps(result))
"""

MIDNIGHT_MS = 1_790_208_000_000
"""2026-09-24 00:00 UTC."""


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory, genuine_claude: Path) -> Iterator[Sandbox]:
    """A sandbox with a cheap session an hour before midnight UTC, and an expensive and a failed one after it."""
    sandbox = Sandbox(tmp_path_factory.mktemp("spent") / "sandbox")
    sandbox.fake_claude(COSTS)
    ids = [
        sandbox.launch("cheap", "--title", "Parser, and\nmore"),
        sandbox.launch("dear", "--title", "\x1b[31mOpera"),
        sandbox.launch("bad", "--model", "haiku"),
    ]
    sandbox.run("wait", *ids)
    for session_id, hours in zip(ids, (-1, 1, 2), strict=True):
        created = MIDNIGHT_MS + hours * 3_600_000
        sandbox.sql(
            "UPDATE sessions SET created_at = ?1, started_at = ?1 + 1000, completed_at = ?1 + 62000, duration_ms = 9000"
            " WHERE id = ?2",
            *(created, session_id),
        )
    yield sandbox
    sandbox.close()


def stats(sandbox: Sandbox, *arguments: str, **environment: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(sandbox.ok("stats", "--json", *arguments, environment=environment))
    return rows


def keys(rows: list[dict[str, Any]]) -> list[Any]:
    return [row["key"] for row in rows]


def test_days_follow_the_users_time_zone(spent: Sandbox) -> None:
    before, after = stats(spent, TZ="UTC")
    assert list(after) == FIELDS
    assert after == {
        "key": "2026-09-24",
        "sessions": 2,
        "completed": 1,
        "failed": 1,
        "interrupted": 0,
        "running": 0,
        "success_rate": 0.5,
        "cost_usd": 4.0,
        "input_tokens": 20,
        "output_tokens": 3000,
        "cache_creation_input_tokens": 6,
        "cache_read_input_tokens": 80,
        "num_turns": 4,
        "duration_ms": 18_000,
        "run_time_ms": 122_000,
    }
    assert (before["key"], before["success_rate"]) == ("2026-09-23", 1.0)
    assert keys(stats(spent, TZ="Asia/Tokyo")) == ["2026-09-24"]


def test_other_groupings_list_the_most_expensive_first(spent: Sandbox) -> None:
    assert keys(stats(spent, "--by", "title")) == ["\x1b[31mOpera", "Parser, and\nmore", None]
    assert keys(stats(spent, "--by", "model")) == [None, "haiku"]
    assert keys(stats(spent, "--by", "status")) == ["completed", "failed"]
    assert keys(stats(spent, "--by", "directory")) == [str(spent.work)]
    assert keys(stats(spent, "--by", "name")) == keys(stats(spent, "--by", "group")) == [None]


def test_archived_and_old_sessions_do_not_count(spent: Sandbox) -> None:
    spent.ok("set", "last", "--archive")
    assert [row["sessions"] for row in stats(spent, "--by", "name")] == [2]
    assert [row["sessions"] for row in stats(spent, "--by", "name", "--all")] == [3]
    assert stats(spent, "--since", "1h") == []
    spent.ok("set", "last", "--unarchive")


def test_running_sessions_count_and_unknown_sums_are_null(sandbox: Sandbox) -> None:
    sandbox.fake_claude(COSTS)
    sandbox.launch("hang")
    (row,) = stats(sandbox)
    assert (row["sessions"], row["running"], row["success_rate"]) == (1, 1, None)
    assert {row[name] for name in FIELDS[7:]} == {None}
    sandbox.ok("interrupt", "last")
    (row,) = stats(sandbox)
    assert (row["interrupted"], row["success_rate"]) == (1, 0.0)


def test_csv_round_trips(spent: Sandbox) -> None:
    text = spent.ok("stats", "--csv", "--by", "title")
    header, *rows = csv.reader(io.StringIO(text))
    assert header == FIELDS
    assert [row[0] for row in rows] == [r"\x1b[31mOpera", "Parser, and\nmore", ""]
    assert rows[0][FIELDS.index("cost_usd")] == "3.0"


def test_csv_has_no_formulas(sandbox: Sandbox) -> None:
    sandbox.fake_claude(COSTS)
    titles = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "a=1", "'quoted"]
    for title in titles:
        sandbox.wait_for_end(sandbox.launch("free", "--title", title))
    _, *rows = csv.reader(io.StringIO(sandbox.ok("stats", "--csv", "--by", "title")))
    assert {row[0] for row in rows} == {"'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "a=1", "'quoted"}
    # Programs that read JSON evaluate no formulas.
    assert set(keys(stats(sandbox, "--by", "title"))) == set(titles)


def test_table_in_a_pipe_is_plain_with_a_total(spent: Sandbox) -> None:
    header, *rows, total = spent.ok("stats", "--by", "title").splitlines()
    assert header.split()[:2] == ["TITLE", "SESSIONS"]
    assert [row.split("  ")[0] for row in rows] == [r"\x1b[31mOpera", "Parser, and more", "(none)"]
    assert total.split() == ["total", "3", "2", "1", "67%", "$5.00", "30", "129", "4.5k", "6", "3m03s"]
    assert all(len(row) == len(header) for row in [*rows, total])


def test_table_at_a_terminal_has_bars(spent: Sandbox) -> None:
    with Terminal(spent, "stats", "--by", "title", columns=80) as terminal:
        screen = terminal.wait_for_screen("total")
        terminal.wait_for_exit()
    expensive, cheap, failed = screen[1:4]
    assert expensive.startswith(r"\x1b[31mOpera")
    assert len(expensive) <= 80
    assert expensive.count("█") > 2 * cheap.count("█") > 0
    assert failed.count("█") == cheap.count("█")


def test_table_at_a_terminal_is_limited_to_100_rows(sandbox: Sandbox) -> None:
    sandbox.fake_claude(COSTS)
    sandbox.wait_for_end(sandbox.launch("cheap"))
    columns = [name for _, name, *_ in sandbox.sql("PRAGMA table_info(sessions)") if name not in ("id", "title")]
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 149)"
    column_list = ", ".join(columns)
    sandbox.sql(
        f"INSERT INTO sessions (id, title, {column_list}) {numbers} SELECT i, 't' || i, {column_list} FROM n, sessions"
    )
    with Terminal(sandbox, "stats", "--by", "title", columns=80, lines=160) as terminal:
        screen = terminal.wait_for_screen("showing only the most expensive 100 of 150")
        terminal.wait_for_exit()
    (total,) = (line.split() for line in screen if line.startswith("total"))
    assert total[:3] == ["total", "150", "100%"]
    assert len([line for line in screen if line.startswith("t")]) == 101
    assert len(sandbox.ok("stats", "--by", "title").splitlines()) == 152


def test_bars_show_sessions_if_nothing_has_a_cost(sandbox: Sandbox) -> None:
    sandbox.fake_claude(COSTS)
    sandbox.run("wait", sandbox.launch("free"), sandbox.launch("free and bad"))
    with Terminal(sandbox, "stats", "--by", "status", columns=60) as terminal:
        screen = terminal.wait_for_screen("total")
        terminal.wait_for_exit()
    assert screen[1].count("█") == screen[2].count("█") > 0


def test_stats_without_sessions_suggest_launch(sandbox: Sandbox) -> None:
    done = sandbox.run("stats")
    assert (done.returncode, done.stdout) == (0, "")
    assert "hldctl launch" in done.stderr
    assert sandbox.ok("stats", "--json") == "[]\n"
    assert sandbox.ok("stats", "--csv") == ",".join(FIELDS) + "\n"
    assert sandbox.run("stats", "--json", "--csv").returncode == 2
    assert sandbox.run("stats", "--by", "mood").returncode == 2


def test_quantities_are_short() -> None:
    numbers = {None: "", 0: "0", 999: "999", 1000: "1.0k", 99_950: "100k", 999_500: "1.0M", 4 * 10**15: "4000T"}
    assert {number: count(number) for number in numbers} == numbers
    seconds = {0: "0s", 59: "59s", 60: "1m00s", 3661: "1h01m", 90_000: "1d01h"}
    assert {number: compact_duration(number * 1000) for number in seconds} == seconds
    shares = {None: "", 0.0: "0%", 0.001: "1%", 0.999: "99%", 1.0: "100%"}
    assert {share: percent(share) for share in shares} == shares


def metrics(sandbox: Sandbox) -> dict[tuple[str, str], float]:
    """Return the metrics by name and label, as Prometheus itself reads them."""
    families = text_string_to_metric_families(sandbox.ok("stats", "--prometheus"))
    found = {}
    for family in families:
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        for sample in family.samples:
            found[sample.name, "".join(sample.labels.values())] = sample.value
    return found


def test_metrics_of_no_session_are_zero(sandbox: Sandbox) -> None:
    found = metrics(sandbox)
    assert found["hldctl_sessions", "running"] == 0
    assert set(found.values()) == {0}


def test_metrics_count_sessions_tokens_and_requests(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "echo one > file"}\n\nsay Done.')
    sandbox.launch("Go", "--approvals")
    eventually(lambda: json.loads(sandbox.ok("approvals", "--json")), "a request")
    found = metrics(sandbox)
    assert found["hldctl_sessions", "waiting_input"] == 1
    assert found["hldctl_waiting_requests", "permission"] == 1
    assert found["hldctl_waiting_requests", "question"] == 0
    assert 0 < found["hldctl_oldest_waiting_request_seconds", ""] <= found["hldctl_oldest_live_session_seconds", ""]
    sandbox.ok("approve", "--all")
    session = sandbox.wait_for_end(sandbox.show("last")["id"])
    found = metrics(sandbox)
    assert (found["hldctl_sessions", "completed"], found["hldctl_oldest_live_session_seconds", ""]) == (1, 0)
    assert found["hldctl_tokens", "output"] == session["output_tokens"] > 0
    assert found["hldctl_cost_usd", ""] == pytest.approx(session["cost_usd"])


@pytest.mark.parametrize("option", ["--json", "--csv", "--budgets", "--since=1d", "--fleet"])
def test_metrics_take_no_other_option(sandbox: Sandbox, option: str) -> None:
    done = sandbox.run("stats", "--prometheus", option)
    assert (done.returncode, "--prometheus" in done.stderr) == (2, True)
