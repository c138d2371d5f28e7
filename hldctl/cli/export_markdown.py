"""A document as GitHub's Markdown: https://github.github.com/gfm/."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hldctl.cli.document import CostRow, Document
from hldctl.cli.edit_diff import Diff
from hldctl.cli.transcript import Call, Close, Kind, Part, Verdict

_SIGNS = {
    Verdict.OK: "✓",
    Verdict.ERROR: "✗",
    Verdict.DENIED: "✗",
    Verdict.WAITING: "?",
    Verdict.OPEN: "○",
}
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_TAG = re.compile(r"<(?=[!?/A-Za-z])(?!https?:|mailto:)")
_MEANING = re.compile(r"([\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w))")


def text(document: Document) -> Iterator[str]:
    """Piece by piece."""
    yield f"# {_plain(document.title)}\n\n"
    yield from _head(document)
    yield "\n## Conversation\n\n"
    for part in document.parts():
        yield _closed(part) if isinstance(part, Close) else _part(part)
    for said in document.permissions:
        yield f"*{_plain(said)}*\n\n"
    yield f"---\n\n{_plain(document.status_words)}. Exported by hldctl on {document.made.words}.\n"


def _head(document: Document) -> Iterator[str]:
    numbers = " · ".join(f"{value} {name}" for value, name in document.numbers)
    yield f"**{_plain(document.status_words)}**" + (f" · {_plain(numbers)}" if numbers else "") + "\n\n"
    if document.error:
        yield _quoted(_block(document.error, "text")) + "\n"
    if document.prompt:
        yield f"{_quoted(_contained(document.prompt))}\n"
    if document.name:
        yield f"- Name: {_plain(document.name)}\n"
    for fact in document.facts:
        yield f"- {fact.name}: {_code(fact.text) if fact.is_code else _plain(fact.text)}\n"
    if document.result:
        yield f"\n## Result\n\n{_contained(document.result)}\n"
    if document.total is not None:
        yield "\n## Costs\n\n"
        yield from _table("model", [*document.costs, *([document.total] if len(document.costs) != 1 else [])])
    if document.runs:
        yield "\n"
        yield from _table("run of Claude Code", document.runs)


def _table(heading: str, rows: list[CostRow]) -> Iterator[str]:
    yield f"| {heading} | input | output | cache read | cache write | cost |\n"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |\n"
    for row in rows:
        cells = (_plain(row.name), row.input, row.output, row.cache_read, row.cache_write, row.cost)
        yield f"| {' | '.join(cells)} |\n"


def _part(part: Part) -> str:
    whose = " (subagent)" if part.is_subagents else ""
    return (f"**{part.new_day}**\n\n" if part.new_day else "") + _told(part, whose)


def _told(part: Part, whose: str) -> str:
    match part.kind:
        case Kind.PROMPT:
            return f"### {'Task' if whose else 'User'}{whose}\n\n{_quoted(_contained(part.text))}\n"
        case Kind.MESSAGE:
            body = _block(part.text, "text") if part.is_trouble else f"{_contained(part.text)}\n"
            return f"### Claude{whose}\n\n{body}\n"
        case Kind.THINKING:
            return _details("<i>Thinking</i>", _quoted(_contained(part.text)))
        case Kind.RESULT:
            return _details(f"{'✗' if part.is_trouble else '✓'} Result", _block(part.text, "text"))
        case Kind.CALL if part.call is not None:
            return _call(part, part.call)
    return f"*{_plain(_one_line(part.text))}*\n\n"


def _call(part: Part, call: Call) -> str:
    said = " · ".join(words for words in (call.outcome, call.took) if words)
    approved = f" · approved by {_escaped(call.approved_by)}" if call.approved_by else ""
    summary = (
        f"{_SIGNS[call.verdict]} <b>{_escaped(call.name)}</b> <code>{_escaped(call.argument)}</code>"
        f" — {_escaped(said)}{approved}"
    )
    body = "\n".join(_inside(part, call))
    if part.has_inner:
        # Up to the Close.
        return f"<details>\n<summary>{summary}</summary>\n\n{body}\n<blockquote>\n\n"
    return _details(summary, body)


def _inside(part: Part, call: Call) -> Iterator[str]:
    """Blocks of Markdown."""
    if short := [f"- {_plain(given.name)}: {_code(given.text)}\n" for given in call.given if not given.is_long]:
        yield "".join(short)
    for given in call.given:
        if given.is_long:
            yield f"{_plain(given.name)}:\n\n{_block(given.text, 'text')}"
    for said in call.permissions:
        yield f"*{_plain(_one_line(said))}*\n"
    if call.diff is not None:
        yield _block(_diff(call.diff), "diff")
    if call.output and not part.has_inner:
        yield _block(call.output, "text")


def _closed(close: Close) -> str:
    answer = f"\n{_block(close.output, 'text')}" if close.output else ""
    return f"</blockquote>\n{answer}\n</details>\n\n"


def _diff(diff: Diff) -> str:
    return "\n".join(f"{line.sign}{line.text}" for line in diff.lines)


def _details(summary: str, body: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n</details>\n\n"


def _block(text: str, language: str) -> str:
    """The fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"


def _code(text: str) -> str:
    line = _one_line(text)
    if not line:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    space = " " if "`" in line else ""
    return f"{fence}{space}{line}{space}{fence}"


def _quoted(text: str) -> str:
    return "".join(f"> {line}".rstrip() + "\n" for line in text.rstrip("\n").split("\n"))


def _plain(text: str) -> str:
    """Text that is no Markdown."""
    return _MEANING.sub(r"\\\1", text)


def _escaped(text: str) -> str:
    from html import escape

    return escape(_one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _contained(text: str) -> str:
    """Markdown that ends where it ends: its fences are closed, and it has no HTML."""
    lines, fence = [], ""
    for line in text.split("\n"):
        found = _FENCE.fullmatch(line)
        if fence:
            # A fence is closed by one as long, without words behind it.
            if found and found[1].startswith(fence) and not found[2].strip():
                fence = ""
        elif found and not (found[1][0] == "`" and "`" in found[2]):
            fence = found[1]
        else:
            line = _without_tags(line)
        lines.append(line)
    return "\n".join([*lines, fence] if fence else lines)


def _without_tags(line: str) -> str:
    parts, reached = [], 0
    for code in _CODE.finditer(line):
        parts += [_TAG.sub(r"\\<", line[reached : code.start()]), code[0]]
        reached = code.end()
    return "".join([*parts, _TAG.sub(r"\\<", line[reached:])])
