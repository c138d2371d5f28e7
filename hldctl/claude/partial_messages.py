"""Text while it is being written: what `--include-partial-messages` adds to the stream (seen with 2.1.330)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hldctl.claude.stream import blocks, decode, mapping, text

_MARKS = (b"stream_event", b"assistant")


class PieceKind(StrEnum):
    BEGIN = "begin"
    MORE = "more"
    END = "end"


class Piece(NamedTuple):
    """Of a text of the main conversation; one that begins makes an end of whatever was begun before."""

    kind: PieceKind
    text: str = ""


def piece(line: bytes) -> Piece | None:
    """What a line of the stream adds; None for most lines."""
    if not any(mark in line for mark in _MARKS) or (event := decode(line)) is None:
        return None
    if event.get("parent_tool_use_id") is not None:
        return None
    if event.get("type") == "assistant":
        # It comes before the end of its block, and has all of it.
        spoken = any(block.get("type") == "text" for block in blocks(mapping(event.get("message"))))
        return Piece(PieceKind.END) if spoken else None
    if event.get("type") != "stream_event":
        return None
    partial = mapping(event.get("event"))
    if partial.get("type") == "content_block_start":
        begun = mapping(partial.get("content_block"))
        return Piece(PieceKind.BEGIN, text(begun.get("text")) or "") if begun.get("type") == "text" else None
    if partial.get("type") == "content_block_delta":
        delta = mapping(partial.get("delta"))
        return Piece(PieceKind.MORE, text(delta.get("text")) or "") if delta.get("type") == "text_delta" else None
    return None
