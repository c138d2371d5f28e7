"""A message in an exported Markdown document: it runs nothing, loads nothing and swallows no text after it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hldctl.cli.export.safe_markdown import code_block, escape_markdown, to_safe_markdown
from tests.fuzz.fuzz import corpus
from tests.helpers.exported_markdown import VIEWERS, RenderedMarkdown, assert_contained, headings
from tests.helpers.fake_claude_conversation import CONVERSATION
from tests.helpers.sandbox import Sandbox

PAYLOADS = [path.read_text() for path in corpus("message")]
PIECES = (
    *(
        "# ",
        "## x\n",
        "- ",
        "  ",
        "    ",
        "\t",
        "\n",
        "\n\n",
        "> ",
        "```",
        "~~~",
        "````py\n",
        "`",
        "``",
        "*",
        "**",
        "_",
    ),
    *("<b>", "<img src=x onerror=alert(1)>", "<!--", "-->", "<!", "<?", "<![CDATA[", "]]>", "<script>\n", "</details>"),
    *("<details>", "<div>\n", "</summary>", "[", "]", "(", ")", "![", "](", "http://e.x/a", "//e.x", "javascript:x"),
    *(
        "|",
        "| --- |",
        ":-:",
        "---",
        "===",
        "***",
        "1. ",
        "2) ",
        "\\",
        "&",
        "&lt;",
        "&copy;",
        "&#10;",
        "&#96;",
        "&#x1b;",
    ),
    *("[a]: http://b\n", "[a]", "[^1]: ", "[^1]", "$$", "~", "!", ": ", "+ ", "<https://a.b>", "  \n", "\u00a0"),
    *("_", "&#x1b;", "word ", "é", "x", "0", "- [ ] ", "\x1b[31m", "\u202e", "\ud800"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_message_is_contained(text: str) -> None:
    assert_contained(to_safe_markdown(text))


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@settings(max_examples=300, deadline=None)
def test_escaped_line_renders_as_plain_text(text: str) -> None:
    line = escape_markdown(" ".join(text.split()))
    for viewer in VIEWERS:
        assert RenderedMarkdown(viewer.render(f"{line}: x")).tags == {"p"}
        assert RenderedMarkdown(viewer.render(f"- {line}: x")).tags == {"ul", "li"}


@pytest.mark.parametrize("text", PAYLOADS, ids=[path.name for path in corpus("message")])
def test_known_payload_is_contained(text: str) -> None:
    assert_contained(to_safe_markdown(text))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Some *em*, **strong**, ~~gone~~ and `code`.", "Some *em*, **strong**, ~~gone~~ and `code`."),
        ("# One\n\nTwo\n---", "#### One\n\n##### Two"),
        ("- a\n- b\n  1. c\n\n     d", "- a\n- b\n  1. c\n\n     d"),
        ("- [ ] open\n- [x] done", "- [ ] open\n- [x] done"),
        ("```python\nx = [1]\n```", "```python\nx = [1]\n```"),
        ("    code", "```\ncode\n```"),
        ("| a | b |\n|:-:|--:|\n| `x\\|y` | z |", "| a | b |\n| :-: | --: |\n| `x\\|y` | z |"),
        ("> quoted\n> more", "> quoted\n> more"),
        ("[there](https://a.b/c?d=e&f=g)", "[there](https://a.b/c?d=e&f=g)"),
        ("one  \ntwo", "one\\\ntwo"),
        ("snake_case, R&D, a < b", "snake_case, R&D, a < b"),
        ("![alt](https://a.b/c.png)", "\\![alt](https://a.b/c.png)"),
        ("Vec<String>", "Vec\\<String>"),
        ("```mermaid\ngraph TD\n```", "```\ngraph TD\n```"),
    ],
)
def test_harmless_markdown_is_preserved(message: str, expected: str) -> None:
    assert to_safe_markdown(message) == expected


def test_deeply_nested_or_long_text_becomes_a_code_block() -> None:
    for text in ("> " * 30 + "deep", "x" * 100_001):
        assert to_safe_markdown(text) == code_block(text, "text").rstrip("\n")


def test_long_message_is_converted_in_time() -> None:
    text = "Some *words*, `code` and a [link](https://a.b).\n\n- one\n- two\n\n" * 1500
    start = time.process_time()
    to_safe_markdown(text)
    assert time.process_time() - start < 30


def test_document_keeps_its_headings_for_any_message(sandbox: Sandbox) -> None:
    sandbox.fake_claude(
        CONVERSATION
        + f"""
for number, text in enumerate({PAYLOADS!r}):
    say(text)
    think(text)
    call(f"t{{number}}", text, **{{text: text, "description": text}})
    answer(f"t{{number}}", text, 1)
    call(f"a{{number}}", "Agent", description=text, prompt=text)
    say(text, f"a{{number}}")
    answer(f"a{{number}}", text, 1)
write(type="result", subtype="success", is_error=False, result=text, num_turns=1, duration_ms=1, total_cost_usd=0)
"""
    )
    session_id = sandbox.launch("\n\n".join(PAYLOADS), "--title", PAYLOADS[0])
    sandbox.wait_for_end(session_id)
    found_headings = headings(sandbox.ok("export", session_id))
    assert [title for tag, title in found_headings if tag == "h2"] == ["Result", "Costs", "Conversation"]
    assert [tag for tag, _ in found_headings].count("h1") == 1
    assert [title for tag, title in found_headings if tag == "h3"] == ["User", *["Claude"] * len(PAYLOADS)]
