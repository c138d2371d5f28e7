from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hldctl.claude.line_head import decode_head

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def is_beginning(part: object, whole: object) -> bool:
    """Return whether the part is the whole, truncated at some point."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and is_beginning(value, whole[name]) for name, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_beginning, part, whole))
    if isinstance(part, str) and isinstance(whole, str):
        return whole.startswith(part)
    return part == whole


@given(st.dictionaries(st.text(), VALUES, min_size=1, max_size=4), st.booleans(), st.data())
def test_head_gives_the_beginning_of_the_object(whole: dict[str, object], ascii: bool, data: st.DataObject) -> None:
    line = json.dumps(whole, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    end = data.draw(st.integers(1, len(line)))
    part = decode_head(line[:end])
    # An escaped lone surrogate is replaced.
    if "\\ud" not in json.dumps(whole):
        assert part is not None
        assert is_beginning(part, whole)


@pytest.mark.parametrize("head", [b"", b"\0\0\0", b"no JSON", b"[1, 2", b'"text', b'{"a": 1}}', b'{"a": [}'])
def test_head_without_an_object_gives_none(head: bytes) -> None:
    assert decode_head(head) is None


def test_truncated_text_is_kept_with_the_fields_before_it() -> None:
    whole = {
        "type": "user",
        "message": {"content": [{"tool_use_id": "t", "type": "tool_result", "content": 'x{["\\' * 9}]},
    }
    line = json.dumps(whole).encode()
    for cut in range(line.index(b"x{["), len(line) - 6):
        part = decode_head(line[:cut])
        assert part is not None
        (block,) = part["message"]["content"]
        assert (part["type"], block["tool_use_id"]) == ("user", "t")
        assert len(block["content"]) >= (cut - line.index(b"x{[")) * 4 // 7 - 1
