"""Markdown from a model as harmless HTML."""

from __future__ import annotations

import time

import pytest

from hldctl.cli.export.safe_html import render_html


@pytest.mark.parametrize("url", ["http://a.example", "https://a.example/?b=c&d", "mailto:a@b.example"])
def test_web_links_are_kept(url: str) -> None:
    assert f'href="{url.replace("&", "&amp;")}" rel="noreferrer noopener nofollow"' in render_html(f"[x]({url})")


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "java&#115;cript:alert(1)", "vbscript:x", "data:text/html,x"),
        *("file:///etc/passwd", "//a.example", "/path", "#e1", "blob:x", "java&colon;script:x", "java\tscript:x"),
    ],
)
def test_other_links_become_text(url: str) -> None:
    for text in (f"[x]({url})", f"<{url}>", f"[x][y]\n\n[y]: {url}", f"![x]({url})"):
        assert "href" not in render_html(text)
        assert "src" not in render_html(text)


def test_image_becomes_a_link() -> None:
    assert render_html("![x](https://a.example/x.png)").startswith('<p>!<a href="https://a.example/x.png"')


def test_html_is_escaped() -> None:
    assert render_html("<b onclick='x'>a</b>\n\n<!-- b -->\n\n```<i>\n<s>\n```").count("<") == 8


def test_headings_are_lowered_below_those_of_the_page() -> None:
    assert render_html("# a\n\n##### b") == "<h3>a</h3>\n<h6>b</h6>\n"


def test_control_characters_are_escaped() -> None:
    assert render_html("a\x1bb &#27; &#x202e;") == "<p>a\\x1bb \N{REPLACEMENT CHARACTER} \\u202e</p>\n"


@pytest.mark.parametrize("piece", ["*a ", "[", "> ", "`", "- ", "![](", "<", "&", "|a|\n|-|\n", "_*", "x" * 60 + "\n"])
def test_any_text_renders_in_time(piece: str) -> None:
    text = piece * (95_000 // len(piece))
    start = time.monotonic()
    render_html(text)
    assert time.monotonic() - start < 30


def test_very_long_text_becomes_preformatted() -> None:
    assert render_html("<*a*>" * 50_000) == f"<pre>{'&lt;*a*&gt;' * 50_000}</pre>"
