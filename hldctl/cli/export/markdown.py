"""The export as GitHub Flavored Markdown: https://github.github.com/gfm/."""

from __future__ import annotations

from collections.abc import Iterator

from hldctl.cli.export.document import CostRow, Document
from hldctl.cli.export.safe_markdown import code_block, code_span, escape_markdown, to_safe_markdown
from hldctl.cli.export.transcript import Block, BlockEnd, BlockKind, Call, CallStatus
from hldctl.cli.render.events.edit_diff import Diff

_SIGNS = {
    CallStatus.OK: "✓",
    CallStatus.ERROR: "✗",
    CallStatus.DENIED: "✗",
    CallStatus.WAITING: "?",
    CallStatus.STARTED: "▸",
    CallStatus.OPEN: "○",
}


def text(document: Document) -> Iterator[str]:
    """Yield the document in pieces."""
    yield f"# {escape_markdown(document.title)}\n\n"
    yield from _head(document)
    yield "\n## Conversation\n\n"
    for block in document.blocks():
        yield _close(block) if isinstance(block, BlockEnd) else _block(block)
    for permission in document.permissions:
        yield f"*{escape_markdown(_one_line(permission))}*\n\n"
    yield f"---\n\n{escape_markdown(document.status_text)}. Exported by hldctl on {document.exported_at.text}.\n"


def _head(document: Document) -> Iterator[str]:
    numbers = " · ".join(f"{value} {name}" for value, name in document.numbers)
    yield (
        f"**{escape_markdown(document.status_text)}**" + (f" · {escape_markdown(numbers)}" if numbers else "") + "\n\n"
    )
    if document.error:
        yield _quote(code_block(document.error, "text")) + "\n"
    if document.prompt:
        yield f"{_quote(to_safe_markdown(document.prompt))}\n"
    if document.name:
        yield f"- Name: {escape_markdown(document.name)}\n"
    for fact in document.facts:
        yield f"- {fact.name}: {_code(fact.text) if fact.is_code else escape_markdown(fact.text)}\n"
    if document.result:
        yield f"\n## Result\n\n{to_safe_markdown(document.result)}\n"
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
        cells = (escape_markdown(row.name), row.input, row.output, row.cache_read, row.cache_write, row.cost)
        yield f"| {' | '.join(cells)} |\n"


def _block(block: Block) -> str:
    whose = " (subagent)" if block.is_subagents else ""
    return (f"**{block.new_day}**\n\n" if block.new_day else "") + _block_body(block, whose)


def _block_body(block: Block, whose: str) -> str:
    match block.kind:
        case BlockKind.PROMPT:
            return f"### {'Task' if whose else 'User'}{whose}\n\n{_quote(to_safe_markdown(block.text))}\n"
        case BlockKind.SENT:
            return f"### User, while running\n\n{_quote(to_safe_markdown(block.text))}\n"
        case BlockKind.CHECK:
            return f"### Output of the check\n\n{code_block(block.text, 'text')}\n"
        case BlockKind.MESSAGE:
            body = code_block(block.text, "text") if block.is_trouble else f"{to_safe_markdown(block.text)}\n"
            return f"### Claude{whose}\n\n{body}\n"
        case BlockKind.THINKING:
            return _details("<i>Thinking</i>", _quote(to_safe_markdown(block.text)))
        case BlockKind.RESULT:
            return _details(f"{'✗' if block.is_trouble else '✓'} Result", code_block(block.text, "text"))
        case BlockKind.CALL if block.call is not None:
            return _call(block, block.call)
    return f"*{escape_markdown(_one_line(block.text))}*\n\n"


def _call(block: Block, call: Call) -> str:
    outcome = " · ".join(text for text in (call.outcome, call.took) if text)
    approval = f" · approved by {_escape(call.approved_by)}" if call.approved_by else ""
    summary = (
        f"{_SIGNS[call.status]} <b>{_escape(call.name)}</b> <code>{_escape(call.argument)}</code>"
        f" — {_escape(outcome)}{approval}"
    )
    body = "\n".join(_call_blocks(block, call))
    if block.has_inner:
        # `_close` ends it.
        return f"<details>\n<summary>{summary}</summary>\n\n{body}\n<blockquote>\n\n"
    return _details(summary, body)


def _call_blocks(block: Block, call: Call) -> Iterator[str]:
    """Yield blocks of Markdown."""
    if short := [
        f"- {escape_markdown(argument.name)}: {_code(argument.text)}\n"
        for argument in call.arguments
        if not argument.is_long
    ]:
        yield "".join(short)
    for argument in call.arguments:
        if argument.is_long:
            yield f"{escape_markdown(argument.name)}:\n\n{code_block(argument.text, 'text')}"
    for permission in call.permissions:
        yield f"*{escape_markdown(_one_line(permission))}*\n"
    if call.diff is not None:
        yield code_block(_diff(call.diff), "diff")
    if call.output and not block.has_inner:
        yield code_block(call.output, "text")


def _close(close: BlockEnd) -> str:
    answer = f"\n{code_block(close.output, 'text')}" if close.output else ""
    return f"</blockquote>\n{answer}\n</details>\n\n"


def _diff(diff: Diff) -> str:
    return "\n".join(f"{line.sign}{line.text}" for line in diff.lines)


def _details(summary: str, body: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n</details>\n\n"


def _code(text: str) -> str:
    return code_span(_one_line(text))


def _quote(text: str) -> str:
    return "".join(f"> {line}".rstrip() + "\n" for line in text.rstrip("\n").split("\n"))


def _escape(text: str) -> str:
    from html import escape

    return escape(_one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())
