from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hldctl.ingest import journal
from hldctl.ingest.journal import Batch, JournalReader, LongLine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_reader_returns_only_complete_lines(path: Path) -> None:
    append(path, b"one\ntwo\nthr")
    reader = JournalReader(path, 0)
    assert reader.next_batch() == Batch([b"one", b"two"], 0, 8)
    assert reader.next_batch() is None
    append(path, b"ee\n")
    assert reader.next_batch() == Batch([b"three"], 8, 14)
    reader.close()


def test_last_line_may_lack_its_newline(path: Path) -> None:
    append(path, b"one\ntwo")
    reader = JournalReader(path, 4)
    assert reader.next_batch() is None
    assert reader.last_batch() == Batch([b"two"], 4, 7)
    assert reader.last_batch() is None
    reader.close()


def test_lines_end_only_at_a_newline_byte(path: Path) -> None:
    line = "a\r\x0b\x0c\x1c\x85\u2028\u2029b".encode()
    append(path, line + b"\n")
    reader = JournalReader(path, 0)
    assert reader.next_batch() == Batch([line], 0, len(line) + 1)
    reader.close()


def test_too_long_line_is_returned_as_length_and_head(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_LINE_BYTES", 10)
    monkeypatch.setattr(journal, "CHUNK_BYTES", 4)
    append(path, b"x" * 25 + b"\nshort\n")
    reader = JournalReader(path, 0)
    assert reader.next_batch() == Batch([LongLine(25, b"x" * 10)], 0, 26)
    assert reader.next_batch() == Batch([b"short"], 26, 32)
    append(path, b"y" * 30)
    assert reader.next_batch() is None
    assert reader.last_batch() == Batch([LongLine(30, b"y" * 10)], 32, 62)
    reader.close()


@given(pieces=st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"x", b"\n")), max_size=8), start=st.data())
def test_lines_come_once_and_complete_however_they_are_written(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], start: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal"
    path.touch()
    reader = JournalReader(path, 0)
    lines: list[bytes | LongLine] = []
    ends = [0]
    seen: list[int] = []
    for piece in pieces:
        append(path, piece)
        while batch := reader.next_batch():
            lines += batch.lines
            ends.append(batch.end)
            seen += [end for end, _ in batch.lines_with_ends()]
    if batch := reader.last_batch():
        lines += batch.lines
        ends.append(batch.end)
    reader.close()
    data = b"".join(pieces)
    assert lines == (data.removesuffix(b"\n").split(b"\n") if data else [])
    assert ends == sorted(ends)
    assert ends[-1] == len(data)
    assert seen == [index + 1 for index, byte in enumerate(data) if byte == ord("\n")]
