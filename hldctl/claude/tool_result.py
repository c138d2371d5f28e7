"""What a tool answered: the text that the model saw, and where the structured data beside it says more, that."""

from __future__ import annotations

from hldctl.claude.stream import JsonObject, block_text, mapping, sequence, text, whole_number

# 2.1.330 gives the model the first 2 KB of a long output and writes all of it to a file of its own.
_CUT_SHORT = "<persisted-output>"


def content(block: JsonObject, structured: JsonObject) -> str:
    """`structured` is the line's `tool_use_result`, empty if it is about no single result."""
    shown = block_text(block.get("content"))
    if structured.get("type") == "image":
        return image(mapping(structured.get("file")))
    if shown.startswith(_CUT_SHORT) or not shown:
        return _output(structured) or shown
    patch = _patch(structured)
    return f"{shown}\n{patch}" if patch else shown


def is_allowed(event: JsonObject, tool_id: str, *, is_error: bool) -> bool | None:
    """Whether the call with that result was allowed, True or False, by a hook where it was denied; None if the line
    does not tell.

    2.1.330 names the decision for each result. It writes `hook` for any hook, hldctl's or another.
    """
    for told in map(mapping, sequence(event.get("tool_result_meta"))):
        decision = mapping(told.get("permission_decision"))
        if told.get("id") != tool_id or not decision:
            continue
        if decision.get("decision") == "accept":
            return True
        return False if decision.get("decision") == "reject" and decision.get("source") == "hook" else None
    return None if is_error else True


def image(file: JsonObject) -> str:
    """An image by its kind and size: `[image image/png 800x600]`."""
    dimensions = mapping(file.get("dimensions"))
    width, height = (whole_number(dimensions.get(f"original{side}")) for side in ("Width", "Height"))
    size = f"{width}x{height}" if width and height else None
    return f"[{' '.join(part for part in ('image', text(file.get('type')), size) if part)}]"


def _output(structured: JsonObject) -> str:
    streams = [text(structured.get(name)) for name in ("stdout", "stderr")]
    output = "\n".join(stream for stream in streams if stream)
    path = text(structured.get("persistedOutputPath"))
    if output and path is not None:
        # 30,000 characters of it, without a mark where they end.
        output += f"\n[cut short: {structured.get('persistedOutputSize')} bytes in all, in {path}]"
    return output


def _patch(structured: JsonObject) -> str:
    """The hunks of an edit, as a unified diff shows them."""
    lines: list[str] = []
    for hunk in sequence(structured.get("structuredPatch")):
        hunk = mapping(hunk)
        old, new = (f"{hunk.get(side + 'Start')},{hunk.get(side + 'Lines')}" for side in ("old", "new"))
        lines.append(f"@@ -{old} +{new} @@")
        lines += [line for line in sequence(hunk.get("lines")) if isinstance(line, str)]
    return "\n".join(lines)
