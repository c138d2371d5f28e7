"""An exported page in a real browser without scripts: phone and desktop sizes, light and dark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from tests.helpers.evil_conversation import EVIL, STREAM
from tests.helpers.fake_claude_session import run_sample_session
from tests.helpers.sandbox import Sandbox, eventually, is_dead

PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
PHONE, DESK = (360, 740), (1280, 900)
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
MIN_CONTRAST = 4.5
"""The minimum for text in https://www.w3.org/TR/WCAG22/#contrast-minimum."""
CONTRASTS = """() => {
    const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = (colour) => {
        const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = channels(colour).slice(0, 3).map(linear);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const background = (element) => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if ((channels(colour)[3] ?? 1) > 0) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const words = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
        if (!words) continue;
        const ink = luminance(getComputedStyle(element).color), paper = luminance(background(element));
        found.push([(Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05), words.slice(0, 80)]);
    }
    return found;
}"""
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@dataclass
class OpenPage:
    """A page in a browser, the requests that it made, and the errors and dialogs that it caused."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open_details(self) -> None:
        """Open all collapsed elements by clicks, the outer ones first."""
        closed = self.page.locator("details:not([open]) > summary:visible")
        while closed.count():
            closed.first.click()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    executable = shutil.which("chromium")
    assert executable is not None, "chromium is missing; see scripts/system-packages"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=executable, args=ARGUMENTS, env={**os.environ, "HOME": str(tmp_path)}
        )
        processes = psutil.Process().children(recursive=True)
        yield started
        started.close()
    eventually(lambda: all(map(is_dead, processes)), "the browser to leave")


@pytest.fixture
def exported(sandbox: Sandbox) -> Path:
    session_id = run_sample_session(sandbox)
    sandbox.ok("export", session_id, "--format", "html", "-o", "page.html")
    return sandbox.work / "page.html"


def open_page(
    browser: Browser, file: Path, size: tuple[int, int] = DESK, *, dark: bool = False, script: bool = False
) -> OpenPage:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )
    opened = OpenPage(context.new_page())
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.on("console", lambda message: opened.complaints.append(message.text))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("dialog", lambda dialog: opened.complaints.append(dialog.message))
    opened.page.goto(file.as_uri())
    return opened


def test_page_fits_screens_is_readable_and_loads_nothing(browser: Browser, exported: Path) -> None:
    for size in (PHONE, DESK):
        for dark in (False, True):
            opened = open_page(browser, exported, size, dark=dark)
            page = opened.page
            assert page.locator("details").count() > 8
            assert page.locator("details[open]").count() == 0
            collapsed, available = page.evaluate(WIDTHS)
            opened.open_details()
            expanded, _ = page.evaluate(WIDTHS)
            assert available == size[0]
            assert (collapsed, expanded) == (available, available)
            contrasts = page.evaluate(CONTRASTS)
            assert len(contrasts) > 200
            assert [(contrast, text) for contrast, text in contrasts if contrast < MIN_CONTRAST] == []
            assert page.locator("script").count() == 0
            assert (opened.requests, opened.complaints) == ([exported.as_uri()], [])
            _save_picture(browser, exported, size, dark=dark)


def test_call_is_collapsed_until_clicked(browser: Browser, exported: Path) -> None:
    page = open_page(browser, exported, PHONE).page
    call = page.locator("details.call", has_text="src/retry.py").first
    new_line = call.get_by_text("+def retry(")
    assert not new_line.is_visible()
    call.locator("summary").click()
    assert new_line.is_visible()
    # A long line of code scrolls in its block, not the page.
    wide = page.locator("#result pre")
    assert wide.evaluate("block => block.scrollWidth > block.clientWidth")


def test_link_to_a_failed_call_opens_it(browser: Browser, exported: Path) -> None:
    page = open_page(browser, exported).page
    answer = page.get_by_text("FAILED (failures=1)")
    assert not answer.is_visible()
    page.locator(".links a").first.click()
    assert answer.is_visible()


def test_long_output_scrolls_in_its_own_block(browser: Browser, sandbox: Sandbox) -> None:
    sandbox.serve_script(
        'call Bash {"command": "seq 1 2000; head -c 9000 /dev/zero | tr \'\\\\\\\\0\' x"}\n\nsay Done.'
    )
    sandbox.ok("launch", "Count", "--allowed-tools", "Bash", "--wait")
    sandbox.ok("export", "last", "--format", "html", "-o", "page.html")
    opened = open_page(browser, sandbox.work / "page.html", PHONE)
    opened.open_details()
    block = opened.page.locator("pre.output")
    assert "1999" in (block.text_content() or "")
    assert block.evaluate("block => block.scrollHeight > 4 * block.clientHeight && block.clientHeight < 740")
    width, available = opened.page.evaluate(WIDTHS)
    assert width == available


def test_nothing_runs_even_if_scripts_are_enabled(browser: Browser, sandbox: Sandbox) -> None:
    sandbox.fake_claude(STREAM)
    session_id = sandbox.launch(EVIL[0], "--title", EVIL[5])
    sandbox.wait_for_end(session_id)
    sandbox.ok("export", session_id, "--format", "html", "-o", "page.html")
    file = sandbox.work / "page.html"
    opened = open_page(browser, file, script=True)
    opened.open_details()
    assert (opened.requests, opened.complaints) == ([file.as_uri()], [])
    assert opened.page.title() == EVIL[5]


def _save_picture(browser: Browser, exported: Path, size: tuple[int, int], *, dark: bool) -> None:
    """Write a picture for the documentation, on demand. It is not compared, because pixels differ between browsers."""
    if not os.environ.get("HLDCTL_RENEW_PICTURES"):
        return
    page = open_page(browser, exported, size, dark=dark).page
    if (size, dark) == (DESK, False):
        # Without the part below, which has paths of the machine.
        about = page.locator("#about").bounding_box()
        assert about is not None
        clip = FloatRect(x=0, y=0, width=size[0], height=about["y"])
        page.screenshot(path=PICTURES / "export-desk-light.png", clip=clip)
    elif (size, dark) == (PHONE, True):
        edit = page.locator("details:has(pre.diff)").first
        edit.locator("summary").click()
        edit.evaluate("edit => window.scrollBy(0, edit.getBoundingClientRect().top - 260)")
        page.screenshot(path=PICTURES / "export-phone-dark.png")
