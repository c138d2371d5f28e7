"""Parser for partial text, which `--include-partial-messages` adds to the stream (seen with 2.1.330)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hldctl.claude.stream import content_blocks, decode, mapping, text

_LINE_TYPES = (b"stream_event", b"assistant")


class PieceKind(StrEnum):
    BEGIN = "begin"
    MORE = "more"
    END = "end"


class Piece(NamedTuple):
    """A piece of a text in the main conversation; BEGIN also ends the previous text."""

    kind: PieceKind
    text: str = ""


def parse_piece(line: bytes) -> Piece | None:
    """Return the piece of text in a line of the stream; None for most lines."""
    if not any(line_type in line for line_type in _LINE_TYPES) or (event := decode(line)) is None:
        return None
    if event.get("parent_tool_use_id") is not None:
        return None
    if event.get("type") == "assistant":
        # This line comes before the end of its block, and contains the complete text.
        has_text = any(block.get("type") == "text" for block in content_blocks(mapping(event.get("message"))))
        return Piece(PieceKind.END) if has_text else None
    if event.get("type") != "stream_event":
        return None
    partial = mapping(event.get("event"))
    if partial.get("type") == "content_block_start":
        block = mapping(partial.get("content_block"))
        return Piece(PieceKind.BEGIN, text(block.get("text")) or "") if block.get("type") == "text" else None
    if partial.get("type") == "content_block_delta":
        delta = mapping(partial.get("delta"))
        return Piece(PieceKind.MORE, text(delta.get("text")) or "") if delta.get("type") == "text_delta" else None
    return None
