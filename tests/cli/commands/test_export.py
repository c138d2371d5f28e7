"""`hldctl export`: the whole session as a document in which nothing from the transcript can run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.helpers.evil_conversation import EVIL, STREAM
from tests.helpers.fake_claude_conversation import ALL, CONVERSATION
from tests.helpers.fake_claude_session import run_sample_session
from tests.helpers.sandbox import Sandbox, eventually

QUOTED = "'```out```'"
HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "nav", "section", "article", "footer"),
    *("h1", "h2", "h3", "p", "ul", "ol", "li", "dl", "dt", "dd", "div", "span", "b", "a", "time", "pre", "code"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "details", "summary"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "http-equiv", "class", "id", "href", "rel", "datetime", "title", "dir"),
    *("tabindex", "role", "aria-label", "scope"),
}
EMPTY = {"meta", "br", "hr"}


class Page(HTMLParser):
    """The parts of a page that a browser acts on. Raise AssertionError if an element is not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.targets: set[str] = set()
        self.ids: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attributes}
        self.targets |= {value or "" for name, value in attributes if name in ("href", "src")}
        self.ids += [value or "" for name, value in attributes if name == "id"]
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


@pytest.fixture
def evil(sandbox: Sandbox) -> str:
    sandbox.fake_claude(STREAM)
    session_id = sandbox.launch(EVIL[0], "--title", EVIL[5])
    sandbox.run("wait", session_id)
    return session_id


def export_page(sandbox: Sandbox, session_id: str) -> Page:
    return Page(sandbox.ok("export", session_id, "--format", "html"))


def test_page_runs_nothing_and_loads_nothing(sandbox: Sandbox, evil: str) -> None:
    html = sandbox.ok("export", evil, "--format", "html")
    page = Page(html)
    assert page.elements <= HARMLESS
    assert page.attributes <= ATTRIBUTES
    # The only link to another site replaces an image.
    assert {target for target in page.targets if not target.startswith("#")} == {"https://evil.example/x.png"}
    assert "default-src 'none'" in html
    for text in EVIL:
        # Shown as text in thinking, call, result and note.
        assert page.text.count(text) >= 5, text


def test_markdown_document_closes_what_messages_leave_open(sandbox: Sandbox, evil: str) -> None:
    markdown = sandbox.ok("export", evil)
    html = MarkdownIt("gfm-like", {"linkify": False}).render(markdown)
    assert html.count("<details>") == html.count("</details>") > len(EVIL)
    for text in ("<script", "<iframe", "<img", "<svg", "<link", "<!--"):
        assert text not in html.replace('<img src="https://evil.example/x.png" alt="x" />', "")
    assert "Exported by hldctl" in html.rpartition("<hr")[2]


def test_document_contains_the_whole_conversation(sandbox: Sandbox) -> None:
    sandbox.serve_script(f'think Hm.\nsay One.\ncall Bash {{"command": "echo {QUOTED}"}}\n\nsay **Two.**')
    sandbox.ok("launch", "Hello", "--title", "A title", "--allowed-tools", "Bash", "--wait")
    markdown = sandbox.ok("export", "last")
    assert markdown.startswith("# A title\n")
    for text in (
        "### User\n\n> Hello",
        "> Hm.",
        "### Claude\n\nOne.",
        "<summary>✓ <b>Bash</b>",
        "````text\n```out```\n````",
        "## Result\n\n**Two.**",
        "| model | input |",
    ):
        assert text in markdown
    document = json.loads(sandbox.ok("export", "last", "--format", "json"))
    assert document.pop("events") == sandbox.events("last")
    assert document["result_content"] == "**Two.**"
    page = export_page(sandbox, "last")
    for text in (
        "A title",
        "Completed after",
        "Hello",
        "Hm.",
        "One.",
        "```out```",
        "Two.",
        "Tokens and cost by model",
    ):
        assert text in page.text


def test_json_has_all_data_of_the_session(sandbox: Sandbox) -> None:
    sandbox.fake_claude(ALL)
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    document = json.loads(sandbox.ok("export", session_id, "--format", "json"))
    session = sandbox.show(session_id)
    assert {name: document[name] for name in session if name in document} == {
        name: value for name, value in session.items() if name in document
    }
    assert [document[name] for name in ("children", "mcp_servers", "restarts", "approvals")] == [[], [], [], []]
    (model,) = document["costs"]["models"]
    assert (model["model_id"], model["input_tokens"], model["output_tokens"]) == ("m", 210000, 9000)


def test_edits_are_shown_as_diffs(sandbox: Sandbox) -> None:
    sandbox.fake_claude(ALL)
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    html = sandbox.ok("export", session_id, "--format", "html")
    assert '<span class="removed"><span class="number">13</span>-    send(path)\n</span>' in html
    assert '<span class="added"><span class="number">13</span>+    retry(send, path, times=3)\n</span>' in html
    assert "-    send(path)\n+    retry(send, path, times=3)\n" in sandbox.ok("export", session_id)
    # The patch is not shown in addition to the diff.
    assert "@@ -11,5" not in html


def test_subagent_messages_are_nested_in_its_call(sandbox: Sandbox) -> None:
    sandbox.fake_claude(ALL)
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    html = sandbox.ok("export", session_id, "--format", "html")
    call = html.partition(">Look for other callers<")[2].partition("curl -d @secrets")[0]
    inner, answer = call.split('<p class="label">answer</p>')
    assert "There is one more, in <code>src/mail.py</code>." in inner
    assert "There is one more, in src/mail.py." in answer


def test_each_event_appears_once_despite_circular_parents(sandbox: Sandbox) -> None:
    sandbox.fake_claude(
        CONVERSATION
        + """
call("a", "Agent", parent="a", description="its own")
call("b", "Agent", parent="c", description="of one that comes later")
call("c", "Agent", parent="b", description="of the other")
call("c", "Agent", parent="c", description="the same again")
call("d0", "Agent", description="deep")
for n in range(50):
    call(f"d{n + 1}", "Agent", parent=f"d{n}", description="deeper")
say("at the bottom", "d50")
say("of nobody", "nobody")
answer("nothing", "to no call", 1)
answer("a", "one", 1)
answer("a", "two", 1)
answer("d50", "done", 1, parent="d49")
done()
"""
    )
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    events = sandbox.events(session_id)
    page = export_page(sandbox, session_id)
    results_in_calls = {event["sequence"] for event in events if event["tool_result_content"] in ("one", "done")}
    assert len(results_in_calls) == 2
    sequences = [int(name[1:]) for name in page.ids if name[1:].isdigit()]
    assert sorted(sequences) == [event["sequence"] for event in events if event["sequence"] not in results_in_calls]
    assert len(page.ids) == len(set(page.ids))
    for text in ("at the bottom", "of nobody", "to no call", "one", "two", "done"):
        assert text in page.text


def test_document_shows_how_the_session_ended(sandbox: Sandbox) -> None:
    sandbox.fake_claude(
        CONVERSATION
        + """
query = json.loads(sys.stdin.readline())["message"]["content"]
if "waits" in query:
    call("t1", "Bash", command="make")
    pause("go-on")
if "fails" in query:
    sys.exit("No such thing")
done()
"""
    )
    waiting = sandbox.launch("It waits")
    sandbox.wait_for_journal(waiting, '"Bash"')
    eventually(lambda: len(sandbox.events(waiting)) == 2, "the call")
    for text in ("not ended yet", "This page shows the session as of", "no result"):
        assert text.lower() in export_page(sandbox, waiting).text.lower()
    sandbox.release()
    sandbox.wait_for_end(waiting)
    assert "not ended yet" not in export_page(sandbox, waiting).text
    failed = sandbox.launch("It fails")
    sandbox.wait_for_end(failed)
    page = export_page(sandbox, failed)
    assert "Failed" in page.text
    assert "No such thing" in page.text
    assert "costs" not in page.ids


def test_queued_session_can_be_exported(sandbox: Sandbox) -> None:
    sandbox.fake_claude(CONVERSATION + "pause('go-on')")
    sandbox.launch("First", "--name", "one")
    queued = sandbox.launch("Second", "--name", "one", "--if-running", "queue")
    assert "Queued" in export_page(sandbox, queued).text
    assert "**Queued" in sandbox.ok("export", queued)


def test_document_shows_permission_requests_and_answers(sandbox: Sandbox) -> None:
    session_id = run_sample_session(sandbox)
    page, markdown = export_page(sandbox, session_id), sandbox.ok("export", session_id)
    for document in (page.text, markdown):
        for text in ("denied: push it yourself, please", "approved by ", "; approved after ", ": go ahead"):
            assert text in document
    document = json.loads(sandbox.ok("export", session_id, "--format", "json"))
    assert [approval["comment"] for approval in document["approvals"]] == ["push it yourself, please", "go ahead"]


def test_no_control_characters_in_any_spelling(sandbox: Sandbox) -> None:
    message = "\x1b[31mred\x00 \u202eevil &#27;&#x9b; \ud800 \u05e9\u05dc\u05d5\u05dd"
    sandbox.fake_claude(CONVERSATION + f"text = {message!r}\nsay(text)\nthink(text)\ncall('t', text, x=text)\ndone()")
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    for format in ("html", "markdown"):
        text = sandbox.ok("export", session_id, "--format", format)
        assert not {character for character in text if ord(character) < 32} - {"\n"}
        assert not set(text) & set("\x7f\x9b\u202e")
        assert "\u05e9\u05dc\u05d5\u05dd" in text


def test_page_is_utf8_in_any_locale(sandbox: Sandbox) -> None:
    sandbox.fake_claude(CONVERSATION + "say('漢字')\ndone()")
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    command = [sys.executable, "-m", "hldctl", "export", session_id, "--format", "html"]
    environment = sandbox.environment | {"PYTHONIOENCODING": "ascii"}
    assert "漢字".encode() in subprocess.run(command, env=environment, capture_output=True, check=True).stdout


def test_document_is_written_to_a_file(sandbox: Sandbox, evil: str) -> None:
    assert sandbox.ok("export", evil, "--format", "json", "-o", "session.json") == ""
    assert (sandbox.work / "session.json").read_text() == sandbox.ok("export", evil, "--format", "json")
    # The mode is that of a file made by a shell's redirection.
    (sandbox.work / "other").touch()
    assert (sandbox.work / "session.json").stat().st_mode == (sandbox.work / "other").stat().st_mode
    rejected = sandbox.run("export", evil, "-o", str(Path("no") / "such" / "place"))
    assert (rejected.returncode, "Cannot write no/such/place: " in rejected.stderr) == (2, True)
    assert sandbox.run("export", evil, "--format", "pdf").returncode == 2
    assert sandbox.run("export", "nothing", "-o", "session.json").returncode == 3
    assert json.loads((sandbox.work / "session.json").read_text())["id"] == evil


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's link")
def test_symlink_of_another_user_is_rejected(sandbox: Sandbox, evil: str) -> None:
    shared = sandbox.root / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    mine = sandbox.home / ".bashrc"
    mine.write_text("mine")
    (shared / "run.md").symlink_to(mine)
    os.chown(shared / "run.md", 65534, 65534, follow_symlinks=False)
    rejected = sandbox.run("export", evil, "-o", shared / "run.md")
    assert (rejected.returncode, rejected.stdout) == (2, "")
    assert f"Cannot write {shared / 'run.md'}: run.md is a symbolic link that another user made." in rejected.stderr
    assert mine.read_text() == "mine"
    assert [path.name for path in shared.iterdir()] == ["run.md"]


def test_document_is_written_to_dev_stdout(sandbox: Sandbox, evil: str) -> None:
    assert sandbox.ok("export", evil, "--format", "json", "-o", "/dev/stdout") == sandbox.ok(
        "export", evil, "--format", "json"
    )


MEASURED = """
import os, sys
_, status, usage = os.wait4(os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:]), 0)
print(status, usage.ru_maxrss)
"""


def export_with_peak_memory(sandbox: Sandbox, session_id: str, format: str) -> tuple[int, int]:
    """Export to a file. Return the size of the document and the peak memory of the command, in bytes."""
    command = [sys.executable, "-m", "hldctl", "export", session_id, "--format", format, "-o", "document"]
    # Started by a small process: the figure of a child includes what its parent had when it was started.
    process = subprocess.run(
        [sys.executable, "-c", MEASURED, *command],
        cwd=sandbox.work,
        env=sandbox.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    status, peak = map(int, process.stdout.split())
    assert status == 0
    # ru_maxrss is in kilobytes, on macOS in bytes.
    return (sandbox.work / "document").stat().st_size, peak * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.parametrize("format", ["html", "markdown", "json"])
def test_long_conversation_needs_little_memory(sandbox: Sandbox, format: str) -> None:
    """The interpreter and its modules take 22 to 44 MB in Python 3.11 to 3.14: a short export is the baseline."""
    sandbox.fake_claude(CONVERSATION + "done()")
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    _, baseline = export_with_peak_memory(sandbox, session_id, format)
    sandbox.sql(
        "WITH RECURSIVE numbers (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM numbers WHERE n < 25100)"
        " INSERT INTO conversation_events (session_id, sequence, event_type, tool_id, tool_name, tool_input,"
        " tool_result_for_id, tool_result_content, is_error, is_completed, created_at)"
        " SELECT ?, n, iif(n % 2, 'tool_result', 'tool_call'), iif(n % 2, NULL, 't' || n), 'Bash',"
        " iif(n % 2, NULL, '{\"command\": \"make\"}'), iif(n % 2, 't' || (n - 1), NULL),"
        " iif(n % 2, printf('%.8000c', 'x'), NULL), 0, 1, n FROM numbers",
        session_id,
    )
    size, peak = export_with_peak_memory(sandbox, session_id, format)
    assert size > 100_000_000
    # Neither the events nor the document are ever in memory as a whole: 1 to 8 MB are added, and not 100.
    assert peak - baseline < size // 2


def test_format_follows_from_the_suffix(sandbox: Sandbox, evil: str) -> None:
    for name, beginning in (("run.html", "<!doctype html>"), ("run.json", "{"), ("run.md", "#"), ("run", "#")):
        sandbox.ok("export", evil, "-o", name)
        assert (sandbox.work / name).read_text().lower().startswith(beginning), name
    sandbox.ok("export", evil, "-o", "run.txt", "--format", "json")
    json.loads((sandbox.work / "run.txt").read_text())
    conflict = sandbox.run("export", evil, "-o", "other.html", "--format", "markdown")
    assert (conflict.returncode, "does not fit other.html" in conflict.stderr) == (2, True)
    assert not (sandbox.work / "other.html").exists()
