"""Atomic writes of a user's file."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hldctl.system import atomic_write


def interrupted_chunks() -> Iterator[bytes]:
    yield b"begun"
    raise ValueError("in the middle")


def test_interrupted_write_leaves_the_file_and_no_temporary_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    for chosen in (file, tmp_path / "other"):
        with pytest.raises(ValueError, match="in the middle"):
            atomic_write.write(chosen, interrupted_chunks(), 0o022)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": "old"}


def test_file_is_never_seen_half_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    seen = []

    def observed_chunks() -> Iterator[bytes]:
        for part in (b"a", b"b"):
            seen.append(file.read_text())
            yield part

    atomic_write.write(file, observed_chunks(), 0o022)
    assert (seen, file.read_text()) == (["old", "old"], "ab")


def test_new_file_gets_the_umasks_mode_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
        file = tmp_path / f"{umask}"
        atomic_write.write(file, [b""], umask)
        assert file.stat().st_mode & 0o777 == mode
        file.chmod(0o640)
        atomic_write.write(file, [b""], umask)
        assert file.stat().st_mode & 0o777 == 0o640


def test_symlink_stays_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    atomic_write.write(tmp_path / "link", [b"new"], 0o022)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    atomic_write.write(pipe, [b"one ", b"two"], 0o022)
    reader.join()
    assert read == [b"one two"]
    assert pipe.is_fifo()


OTHER = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    directory = tmp_path / "shared"
    directory.mkdir()
    directory.chmod(0o1777)
    return directory


def as_another_user(make: Callable[[], None]) -> None:
    """Run the block as a user without permissions."""

    def act() -> None:
        os.setgroups([])
        os.setgid(OTHER)
        os.setuid(OTHER)
        make()

    process = multiprocessing.get_context("fork").Process(target=act)
    process.start()
    process.join()
    assert process.exitcode == 0


@pytest.fixture(autouse=True)
def reachable(tmp_path: Path) -> None:
    """Let other users enter the directory of a test, which pytest makes private."""
    for directory in (tmp_path, *tmp_path.parents):
        if directory.name.startswith(("pytest-", "popen-")) or directory == tmp_path:
            directory.chmod(0o711)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@AS_ROOT
def test_another_users_symlink_is_not_followed(tmp_path: Path, shared: Path) -> None:
    mine = tmp_path / "bashrc"
    mine.write_text("mine")
    as_another_user(lambda: (shared / "run.md").symlink_to(mine))
    with pytest.raises(PermissionError, match="another user"):
        atomic_write.write(shared / "run.md", [b"transcript"], 0o022)
    with pytest.raises(PermissionError, match="another user"):
        atomic_write.rewrite(shared / "run.md", lambda: b"transcript")
    assert (mine.read_text(), names(shared)) == ("mine", ["run.md"])


@AS_ROOT
def test_directory_linked_by_another_user_is_not_entered(tmp_path: Path, shared: Path) -> None:
    (tmp_path / "mine").mkdir()
    as_another_user(lambda: (shared / "out").symlink_to(tmp_path / "mine"))
    with pytest.raises(PermissionError, match="another user"):
        atomic_write.write(shared / "out" / "run.md", [b"transcript"], 0o022)
    assert names(tmp_path / "mine") == []
    # Other users cannot create links in one's own directory, so another user's link there is followed.
    os.chown(tmp_path / "mine", OTHER, OTHER)
    shared.chmod(0o755)
    atomic_write.write(shared / "out" / "run.md", [b"transcript"], 0o022)
    assert names(tmp_path / "mine") == ["run.md"]


@AS_ROOT
def test_another_users_file_does_not_pass_on_its_mode(shared: Path) -> None:
    shared.chmod(0o777)
    as_another_user(lambda: (shared / "run.md").touch(0o666))
    (shared / "run.md").chmod(0o666)
    atomic_write.write(shared / "run.md", [b"transcript"], 0o077)
    status = (shared / "run.md").stat()
    assert (status.st_mode & 0o777, status.st_uid) == (0o600, os.geteuid())


def test_own_symlinks_are_followed_in_any_directory(tmp_path: Path, shared: Path) -> None:
    (tmp_path / "real").mkdir()
    (shared / "directory").symlink_to("../real")
    (shared / "link").symlink_to(shared / "directory" / "second")
    (tmp_path / "real" / "second").symlink_to("./../real/file")
    atomic_write.write(shared / "link", [b"new"], 0o022)
    assert (tmp_path / "real" / "file").read_text() == "new"
    assert (shared / "link").is_symlink()


def test_symlink_cycle_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        atomic_write.write(tmp_path / "a", [b""], 0o022)


def test_open_files_of_a_process_are_written_to(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    atomic_write.write(Path(f"/dev/fd/{writing}"), [b"one"], 0o022)
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert pipe.read() == b"one"


def test_directory_with_search_permission_only_is_traversed(tmp_path: Path) -> None:
    (tmp_path / "closed" / "open").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o311)
    atomic_write.write(tmp_path / "closed" / "open" / "file", [b"x"], 0o022)
    assert (tmp_path / "closed" / "open" / "file").read_bytes() == b"x"
    (tmp_path / "closed").chmod(0o755)


def test_relative_path_starts_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    atomic_write.write(Path("../file"), [b"x"], 0o022)
    atomic_write.write(Path("file"), [b"y"], 0o022)
    assert (names(tmp_path), names(tmp_path / "below")) == (["below", "file"], ["file"])
    with pytest.raises(IsADirectoryError):
        atomic_write.write(Path(".."), [b""], 0o022)
