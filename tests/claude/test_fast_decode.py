"""The fast and the slow decoder of a line, which have to give the same results."""

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

UNUSUAL = [
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


def decodes_alike(line: bytes) -> bool:
    # Compare representations: 1 and 1.0 are equal, and nan is not equal to itself.
    return repr(fast_decode.decode(line)) == repr(stream.decode(line))


@pytest.mark.parametrize("line", UNUSUAL)
def test_unusual_lines_decode_the_same_both_ways(line: bytes) -> None:
    assert decodes_alike(line)


@given(OBJECTS, st.booleans())
@example({"a": 2**64}, True)
@example({"a": -(2**63) - 1}, True)
@example({"a": "\ud800"}, True)
def test_any_object_decodes_the_same_both_ways(value: dict[str, object], ascii_only: bool) -> None:
    assert decodes_alike(json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass"))


@given(OBJECTS, st.integers(0), st.binary(max_size=4))
def test_damaged_line_decodes_the_same_both_ways(value: dict[str, object], offset: int, damage: bytes) -> None:
    line = json.dumps(value).encode()
    offset %= len(line)
    assert decodes_alike(line[:offset] + damage + line[offset + len(damage) :])
    assert decodes_alike(line[:offset] + damage + line[offset:])


LITTLE_MEMORY = """
import os, resource
from hldctl.claude import fast_decode
written = b'{"a": [' + b'"word", ' * 500_000 + b'"end"]}'
pages = int(open("/proc/self/statm").read().split()[0])
for megabytes in range(0, 80, 2):
    if os.fork() == 0:
        limit = pages * os.sysconf("SC_PAGE_SIZE") + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            fast_decode.decode(written)
        except MemoryError:
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit the address space")
def test_long_line_with_little_memory_does_not_crash() -> None:
    output = subprocess.run([sys.executable, "-c", LITTLE_MEMORY], capture_output=True, text=True, check=True).stdout
    assert set(output.split()) == {"0", "1"}
