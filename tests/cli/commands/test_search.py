"""`hldctl search`, with conversations of the real Claude Code, and with years of seeded ones."""

from __future__ import annotations

import json
import re
import signal

import apsw
import psutil
import pytest

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually, is_dead, kill_and_wait
from tests.helpers.seed_database import seed_sessions
from tests.helpers.terminal import Terminal

SCRIPT = """
say I will look at the parser.
call Bash {"command": "echo zirconium-$((6 * 7)) crème"}

say Done.
"""
# More than a search indexes itself.
SESSIONS, EVENTS = 130, 100
KEYS = [
    *("session_id", "name", "title", "summary", "status", "sequence", "event_type", "role", "tool_name", "is_error"),
    *("created_at", "excerpt", "matches", "machine"),
]


def builders(sandbox: Sandbox) -> list[psutil.Process]:
    return sandbox.processes_with_argument("hldctl.store.search")


def indexed(sandbox: Sandbox) -> int:
    """Return how many events the index has; 0 if it does not exist."""
    try:
        connection = apsw.Connection(str(sandbox.state.search_index), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(10_000)
        ((count,),) = connection.execute("SELECT count(*) FROM words_docsize").fetchall()
        return int(str(count))
    except (apsw.CantOpenError, apsw.SQLError):
        return 0


@pytest.fixture
def seeded(sandbox: Sandbox) -> Sandbox:
    """A home with conversations from before there was an index."""
    seed_sessions(sandbox.state.root, SESSIONS, EVENTS)
    return sandbox


def test_session_is_found_by_the_result_of_a_tool(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    session_id = sandbox.launch("Find the metal", "--allowed-tools", "Bash", "--name", "metal")
    sandbox.wait_for_end(session_id)
    (match,) = json.loads(sandbox.ok("search", "zirconium-42", "--json"))
    assert list(match) == KEYS
    assert match["session_id"] == session_id
    assert (match["name"], match["event_type"], match["tool_name"]) == ("metal", "tool_result", "Bash")
    assert [match["excerpt"][first:last] for first, last in match["matches"]] == ["zirconium-42"]
    event = sandbox.events(session_id)[match["sequence"] - 1]
    assert (event["created_at"], event["role"]) == (match["created_at"], match["role"])
    assert len(json.loads(sandbox.ok("search", "CREME", "--tool", "bash", "--json"))) == 2
    assert sandbox.ok("search", "metal", "--role", "user", "-q").split() == [session_id]
    assert sandbox.ok("search", "parser", "--session", "metal").startswith(session_id[:8])
    assert "I will look at the parser." in sandbox.ok("search", "parser")


def test_running_session_is_found(sandbox: Sandbox) -> None:
    sandbox.serve_script("say The needle is here.\nhang")
    session_id = sandbox.launch("Hi")
    sandbox.wait_for_journal(session_id, "needle")
    eventually(lambda: sandbox.ok("search", "needle", "-q").split() == [session_id], "the message to be found")
    sandbox.ok("interrupt", session_id)


def test_search_without_a_match_succeeds_with_a_note(sandbox: Sandbox) -> None:
    done = sandbox.run("search", "nothing")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "hldctl: no event matches\n")
    assert sandbox.ok("search", "nothing", "--json") == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--", "--"], 2, "nothing to search for"),
        ([], 2, "WORDS"),
        (["word", "--session", "absent"], 3, "No session 'absent'"),
        (["word", "--role", "model"], 2, "--role"),
    ],
)
def test_mistake_is_explained(sandbox: Sandbox, arguments: list[str], code: int, message: str) -> None:
    done = sandbox.run("search", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_end_of_a_session_indexes_it(sandbox: Sandbox) -> None:
    sandbox.serve_script("say The needle is here.")
    sandbox.wait_for_end(sandbox.launch("Hi"))
    eventually(lambda: indexed(sandbox) >= 2, "the events to be indexed")
    eventually(lambda: not sandbox.processes(), "the supervisor to exit")


def test_deletion_removes_a_session_from_the_index(sandbox: Sandbox) -> None:
    sandbox.serve_script("say The needle is here.")
    session_id = sandbox.launch("Hi")
    sandbox.wait_for_end(session_id)
    assert sandbox.ok("search", "needle")
    sandbox.ok("rm", session_id)
    assert indexed(sandbox) == 0
    assert sandbox.ok("search", "needle") == ""


def test_default_limit_is_noted(seeded: Sandbox) -> None:
    done = seeded.run("search", "parser")
    assert len(done.stdout.splitlines()) == 20
    assert "only 20 shown; --limit 0 shows all" in done.stderr
    done = seeded.run("search", "parser", "--limit", "7", "--json")
    assert len(json.loads(done.stdout)) == 7
    assert done.stderr == ""
    assert len(seeded.ok("search", "parser", "-q", "--limit", "0").split()) == SESSIONS


def test_killed_build_is_continued_without_loss_or_doubles(seeded: Sandbox) -> None:
    searching = seeded.popen("search", "make", "--limit", "0", "-q")
    for least in (1, 3000):
        eventually(lambda least=least: indexed(seeded) >= least and builders(seeded), "a builder at work")  # type: ignore[misc]
        for builder in builders(seeded):
            kill_and_wait(builder)
    stdout, stderr = searching.communicate(timeout=TIMEOUT_SECONDS)
    assert searching.returncode == 0, stderr
    assert "building the search index" in stderr
    assert len(stdout.split()) == SESSIONS
    assert indexed(seeded) == SESSIONS * EVENTS


def test_build_survives_its_command(seeded: Sandbox) -> None:
    searching = seeded.popen("search", "make")
    (builder,) = eventually(lambda: builders(seeded), "a builder")
    searching.send_signal(signal.SIGINT)
    assert searching.wait(TIMEOUT_SECONDS) == 130
    eventually(lambda: is_dead(builder), "the end of the build")
    assert indexed(seeded) == SESSIONS * EVENTS
    assert seeded.run("search", "make").stderr == "hldctl: only 20 shown; --limit 0 shows all\n"


def test_two_searches_share_a_build(seeded: Sandbox) -> None:
    both = [seeded.popen("search", "make", "--limit", "0", "-q") for _ in range(2)]
    outputs = {process.communicate(timeout=TIMEOUT_SECONDS)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(outputs) == 1
    assert indexed(seeded) == SESSIONS * EVENTS


def test_events_recorded_during_a_build_are_neither_missed_nor_doubled(seeded: Sandbox) -> None:
    seeded.fake_claude(
        """
for number in range(3000):
    print(json.dumps({"type": "assistant", "message": {"content": [{"type": "text", "text": f"needle{number}"}]}}))
    sys.stdout.flush()
    time.sleep(0.0005)
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok"}))
"""
    )
    session_id = seeded.launch("Write")
    seeded.ok("search", "needle*", "--limit", "1")
    seeded.wait_for_end(session_id)
    found = json.loads(seeded.ok("search", "needle*", "--session", session_id, "--limit", "0", "--json"))
    assert [match["excerpt"] for match in found] == [f"needle{number}" for number in reversed(range(3000))]


def test_matches_are_highlighted_at_a_terminal_and_control_characters_are_escaped(sandbox: Sandbox) -> None:
    sandbox.fake_claude(
        'print(json.dumps({"type": "assistant", "message": {"content": [{"type": "text",'
        ' "text": "a \\x1b[31mneedle\\x07 b"}]}}))'
    )
    session_id = sandbox.launch("Hi")
    sandbox.run("wait", session_id)
    assert "\\x1b[31mneedle\\x07" in sandbox.ok("search", "31mneedle")
    with Terminal(sandbox, "search", "31mneedle") as terminal:
        code, screen = terminal.wait_for_exit()
    assert code == 0
    assert session_id[:8] in screen
    # The word is highlighted, and its escape sequence is not one.
    assert re.search(r"a \\x1b\[\x1b\[[0-9;]+m31mneedle\x1b\[0m\\x07 b", screen)


def test_build_shows_a_bar_at_a_terminal(seeded: Sandbox) -> None:
    with Terminal(seeded, "search", "make", "--limit", "1") as terminal:
        terminal.wait_for_output("building the search index")
        terminal.wait_for_output("%")
        code, _ = terminal.wait_for_exit()
        screen = "\n".join(terminal.screen())
    assert code == 0
    assert "make test" in screen
    assert "building" not in screen


def test_index_is_private(sandbox: Sandbox) -> None:
    sandbox.ok("search", "word")
    files = list(sandbox.state.root.glob("search.*"))
    assert files
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


def test_damaged_index_is_found_and_fixed(sandbox: Sandbox) -> None:
    sandbox.ok("search", "word")
    sandbox.state.search_index.write_bytes(b"not a database" * 1000)
    done = sandbox.run("doctor", "--json")
    (finding,) = [each for each in json.loads(done.stdout) if each["subject"] == "search"]
    assert finding["level"] == "error"
    sandbox.run("doctor", "--fix")
    done = sandbox.run("doctor", "--json")
    (finding,) = [each for each in json.loads(done.stdout) if each["subject"] == "search"]
    assert finding["level"] == "ok"


def test_recovered_database_is_searched_completely(sandbox: Sandbox) -> None:
    sandbox.serve_script("say The needle is here.")
    session_id = sandbox.launch("Hi")
    sandbox.wait_for_end(session_id)
    before = sandbox.ok("search", "needle", "--json")
    eventually(lambda: not sandbox.processes(), "the supervisor to exit")
    for file in sandbox.state.root.glob("hldctl.db*"):
        file.write_bytes(b"\xff" * 8192)
    sandbox.run("doctor", "--fix")
    assert sandbox.ok("search", "needle", "--json") == before
