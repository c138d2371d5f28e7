"""`hldctl export`: the whole session as a document, in which nothing that a transcript holds can run."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.sandbox import Sandbox

EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</pre></details><iframe src=//evil.example></iframe>",
    '" onmouseover="alert(1)',
    "<a href='javascript:alert(1)'>x</a>",
    "</title><svg/onload=alert(1)>",
    "</style><link rel=stylesheet href=//evil.example>",
    "{{ 7 * 7 }}{% for x in y %}",
    "&lt;script&gt;",
]
STREAM = f"""
for evil in {EVIL!r}:
    def say(**block):
        print(json.dumps({{"type": "assistant", "message": {{"role": "assistant", "content": [block]}}}}))
    say(type="text", text=evil)
    say(type="thinking", thinking=evil)
    say(type="tool_use", id=evil, name=evil, input={{evil: evil}})
    result = {{"type": "tool_result", "tool_use_id": evil, "content": evil, "is_error": True}}
    print(json.dumps({{"type": "user", "message": {{"role": "user", "content": [result]}}}}))
    print(json.dumps({{"type": "system", "subtype": "task_started", "description": evil}}))
print(json.dumps({{"type": "result", "subtype": "success", "is_error": True, "result": evil, "errors": [evil]}}))
"""
QUOTED = "'```out```'"
HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "table", "tr", "td"),
    *("section", "details", "summary", "span", "div", "pre"),
}


class Page(HTMLParser):
    """What of a page a browser would act on."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def evil(sandbox: Sandbox) -> str:
    sandbox.claude(STREAM)
    session_id = sandbox.launch(EVIL[0], "--title", EVIL[5])
    sandbox.run("wait", session_id)
    return session_id


def test_a_page_runs_nothing_and_loads_nothing(sandbox: Sandbox, evil: str) -> None:
    text = sandbox.ok("export", evil, "--format", "html")
    page = Page(text)
    assert page.elements == HARMLESS
    assert page.attributes == {"lang", "charset", "name", "content", "http-equiv", "class"}
    assert "default-src 'none'" in text
    shown = "".join(page.texts)
    for words in EVIL:
        # Shown as it is, in message, thinking, call, result and note.
        assert shown.count(words) >= 5, words


def test_a_document_holds_the_whole_conversation(sandbox: Sandbox) -> None:
    sandbox.play(f'think Hm.\nsay One.\ncall Bash {{"command": "echo {QUOTED}"}}\n\nsay **Two.**')
    sandbox.ok("launch", "Hello", "--title", "A title", "--allowed-tools", "Bash", "--wait")
    markdown = sandbox.ok("export", "last")
    assert markdown.startswith("# A title\n")
    for words in (
        "## user\n\nHello",
        "> Hm.",
        "## claude\n\nOne.",
        "## call Bash",
        "````\n```out```\n````",
        "**Two.**",
    ):
        assert words in markdown
    whole = json.loads(sandbox.ok("export", "last", "--format", "json"))
    assert whole.pop("events") == sandbox.events("last")
    assert whole["result_content"] == "**Two.**"


def test_it_goes_into_a_file(sandbox: Sandbox, evil: str) -> None:
    assert sandbox.ok("export", evil, "--format", "html", "-o", "page.html") == ""
    assert (sandbox.work / "page.html").read_text() == sandbox.ok("export", evil, "--format", "html")
    refused = sandbox.run("export", evil, "-o", str(Path("no") / "such" / "place"))
    assert (refused.returncode, "cannot be written" in refused.stderr) == (2, True)
    assert sandbox.run("export", evil, "--format", "pdf").returncode == 2
    assert sandbox.run("export", "nothing").returncode == 3
