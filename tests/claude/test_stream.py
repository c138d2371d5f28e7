from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hldctl.claude.events import Entry, is_known, parse_entries
from hldctl.claude.stream import block_text, decode, number, parse_timestamp_ms, whole_number
from hldctl.states import EventType, NoteKind


def only(event: dict[str, Any]) -> Entry:
    (entry,) = parse_entries(event)
    return entry


@pytest.mark.parametrize("line", [b"", b"  ", b"{", b"[1]", b'"a"', b"null", b"7", b"\xff\xfe", b"[" * 100_000])
def test_line_that_is_not_an_object_gives_none(line: bytes) -> None:
    assert decode(line) is None


def test_invalid_utf8_is_replaced() -> None:
    assert decode(b'{"a": "\xff"}') == {"a": "\ufffd"}


@pytest.mark.parametrize(
    ("escaped", "read"), [(r"\ud800", "\ufffd"), (r"\uD83D\uDE00", "\U0001f600"), (r"x\udfffy", "x\ufffdy")]
)
def test_lone_surrogate_is_replaced(escaped: str, read: str) -> None:
    decoded = decode(f'{{"{escaped}": ["{escaped}"]}}'.encode())
    assert decoded == {read: [read]}


@given(st.text())
def test_any_text_survives(text: str) -> None:
    decoded = decode(json.dumps({"a": text}).encode())
    assert decoded is not None
    assert decoded["a"].encode().decode() == decoded["a"]


def test_numbers_too_large_for_the_database_count_as_absent() -> None:
    assert [whole_number(value) for value in (1, 2.9, True, "1", None, 1e300, float("nan"), 2**70)] == [
        *(1, 2),
        *([None] * 6),
    ]
    assert [number(value) for value in (1, 2.5, True, "1", float("inf"), 10**400)] == [1.0, 2.5, *([None] * 4)]


def test_timestamps_are_parsed() -> None:
    assert parse_timestamp_ms("2026-11-22T19:51:12.608Z") == 1795377072608
    assert parse_timestamp_ms("2026-11-22T20:51:12.608+01:00") == 1795377072608
    assert [parse_timestamp_ms(value) for value in ("soon", None, 7, "")] == [None] * 4


def test_plain_string_is_a_message() -> None:
    event = {"type": "user", "message": {"role": "user", "content": "just words"}}
    assert only(event) == Entry(EventType.MESSAGE, "user", "just words")


def test_each_block_names_its_subagent() -> None:
    content = [
        {"type": "text", "text": "a"},
        {"type": "thinking", "thinking": "b"},
        {"type": "tool_use", "id": "t", "name": "Bash", "input": {}},
        {"type": "tool_result", "tool_use_id": "t", "content": "c"},
        {"type": "image", "source": {"media_type": "image/png"}},
    ]
    event = {"type": "assistant", "parent_tool_use_id": "toolu_1", "message": {"content": content}}
    blocks = list(parse_entries(event))
    assert [entry.parent_tool_use_id for entry in blocks] == ["toolu_1"] * 5
    assert [entry.event_type for entry in blocks] == ["message", "thinking", "tool_call", "tool_result", "message"]


def test_block_that_is_not_text_is_named() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    assert block_text([{"type": "text", "text": "see"}, image]) == "see\n[image image/png]"
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
    assert only({"type": "user", "message": {"content": [result]}}).tool_result_content == "[image image/png]"
    assert only({"type": "user", "message": {"content": [image]}}).content == "[image image/png]"


@pytest.mark.parametrize(
    ("event", "kind", "note"),
    [
        (
            {"subtype": "api_retry", "attempt": 1, "max_retries": 10, "retry_delay_ms": 604, "error_status": 529},
            NoteKind.API_RETRY,
            "API error 529; attempt 1 of 10 in 0.6 s",
        ),
        (
            {"subtype": "permission_denied", "tool_name": "Write", "message": "no"},
            NoteKind.PERMISSION_DENIED,
            "Permission denied for Write: no",
        ),
        (
            {"subtype": "compact_boundary", "compact_metadata": {"pre_tokens": 9}},
            NoteKind.COMPACTED,
            "Conversation compacted; it had 9 tokens",
        ),
        ({"subtype": "task_started", "description": "count"}, NoteKind.TASK, "Task started: count"),
        (
            {"subtype": "task_notification", "status": "completed", "summary": "three"},
            NoteKind.TASK,
            "Task completed: three",
        ),
    ],
)
def test_relevant_system_lines_become_notes(event: dict[str, Any], kind: NoteKind, note: str) -> None:
    event = {"type": "system", **event}
    assert only(event) == Entry(EventType.SYSTEM, "system", note, note_kind=kind)
    assert is_known(event)


def test_rate_limit_is_noted_only_when_it_applies() -> None:
    limited = {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected"}}
    assert only(limited).content == "Rate limit: rejected"
    assert list(parse_entries({"type": "rate_limit_event", "rate_limit_info": {"status": "allowed"}})) == []


@pytest.mark.parametrize("event", [{"type": "system", "subtype": "init"}, {"type": "result"}, {"type": "stream_event"}])
def test_known_lines_without_content_give_no_event(event: dict[str, Any]) -> None:
    assert list(parse_entries(event)) == []
    assert is_known(event)


@pytest.mark.parametrize("event", [{}, {"type": 7}, {"type": "novelty"}, {"type": "system", "subtype": "novelty"}])
def test_unknown_lines_are_reported_as_unknown(event: dict[str, Any]) -> None:
    assert list(parse_entries(event)) == []
    assert not is_known(event)


@pytest.mark.parametrize("levels", [100, 150, 250, 400, 900, 975, 1100, 5000])
def test_too_deeply_nested_line_counts_as_unreadable(levels: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        line = b'{"a": ' + opening * levels + b"1" + closing * levels + b"}"
        assert (decode(line) is None) == (levels >= 200)


def test_numbers_that_are_not_json_are_read_as_none() -> None:
    assert decode(b'{"a": NaN, "b": -Infinity, "c": 1e999, "d": 1.5}') == {"a": None, "b": None, "c": None, "d": 1.5}
