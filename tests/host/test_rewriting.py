"""A file of the user's is written wholly or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hldctl.host import rewriting


def breaking() -> Iterator[bytes]:
    yield b"begun"
    raise ValueError("in the middle")


def test_what_breaks_off_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    for chosen in (file, tmp_path / "other"):
        with pytest.raises(ValueError, match="in the middle"):
            rewriting.write(chosen, breaking(), 0o022)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": "old"}


def test_nobody_sees_it_half_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    seen = []

    def looking() -> Iterator[bytes]:
        for part in (b"a", b"b"):
            seen.append(file.read_text())
            yield part

    rewriting.write(file, looking(), 0o022)
    assert (seen, file.read_text()) == (["old", "old"], "ab")


def test_a_new_file_has_the_mode_that_the_umask_leaves_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
        file = tmp_path / f"{umask}"
        rewriting.write(file, [b""], umask)
        assert file.stat().st_mode & 0o777 == mode
        file.chmod(0o640)
        rewriting.write(file, [b""], umask)
        assert file.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    rewriting.write(tmp_path / "link", [b"new"], 0o022)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    rewriting.write(pipe, [b"one ", b"two"], 0o022)
    reader.join()
    assert read == [b"one two"]
    assert pipe.is_fifo()
