"""Two ways to read a line, and no way to tell which it was."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hldctl.claude import fast_decode, stream

NUMBERS = st.integers() | st.integers(-(2**70), 2**70) | st.floats()
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=3)

ODD = [
    *(b"", b" ", b"[1]", b"7", b"null", b"{", b"{}{}", b"\x0b{}\x0b", b"\xef\xbb\xbf{}", b"\xc2\xa0{}"),
    *(b' {"a": 1} \r', b'{"a": 1, "a": 2}', b'{"a": 01}', b'{"a": -0}', b'{"a": -0.0}', b'{"a": 1.0}', b'{"a": 1e2}'),
    *(b'{"a": NaN, "b": -Infinity, "c": 1e999}', b'{"a": 1e-999}', b'{"a": 9007199254740993.0}', b'{"a": [1,]}'),
    *(b'{"a": 9223372036854775808}', b'{"a": 18446744073709551616}', b'{"a": -9223372036854775809}'),
    *(rb'{"\ud800": "\udfff"}', rb'{"a": "\ud83d\ude00"}', b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b'{"a": "\t"}'),
    b'{"a": ' + b"[" * 150 + b"]" * 150 + b', "b": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}',
    b'{"a": ' + b"[" * 199 + b"]" * 199 + b"}",
    b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"a":' * 1100 + b"1" + b"}" * 1100,
]


def reads_alike(written: bytes) -> bool:
    # In words: 1 and 1.0 are equal, and nan is not equal to itself.
    return repr(fast_decode.decode(written)) == repr(stream.decode(written))


@pytest.mark.parametrize("written", ODD)
def test_unusual_lines_decode_like_json_loads(written: bytes) -> None:
    assert reads_alike(written)


@given(OBJECTS, st.booleans())
@example({"a": 2**64}, True)
@example({"a": -(2**63) - 1}, True)
@example({"a": "\ud800"}, True)
def test_any_object_decodes_like_json_loads(value: dict[str, object], ascii_only: bool) -> None:
    assert reads_alike(json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass"))


@given(OBJECTS, st.integers(0), st.binary(max_size=4))
def test_any_damaged_line_decodes_like_json_loads(value: dict[str, object], place: int, damage: bytes) -> None:
    written = json.dumps(value).encode()
    place %= len(written)
    assert reads_alike(written[:place] + damage + written[place + len(damage) :])
    assert reads_alike(written[:place] + damage + written[place:])


SHORT_OF_MEMORY = """
import os, resource
from hldctl.claude import fast_decode
written = b'{"a": [' + b'"word", ' * 500_000 + b'"end"]}'
pages = int(open("/proc/self/statm").read().split()[0])
for megabytes in range(0, 80, 2):
    if os.fork() == 0:
        most = pages * os.sysconf("SC_PAGE_SIZE") + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        try:
            fast_decode.decode(written)
        except MemoryError:
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS limits no address space")
def test_long_line_with_little_memory_raises_memory_error() -> None:
    told = subprocess.run([sys.executable, "-c", SHORT_OF_MEMORY], capture_output=True, text=True, check=True).stdout
    assert set(told.split()) == {"0", "1"}
