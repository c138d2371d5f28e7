from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from hldctl.system.watcher import Wakeup, _linux

LONG = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.touch()
    return file


def wait_seconds(wake: Wakeup, seconds: float = LONG) -> float:
    began = time.monotonic()
    wake.wait(seconds)
    return time.monotonic() - began


def test_write_wakes_the_watcher(path: Path) -> None:
    wake = Wakeup([path])
    threading.Timer(0.2, lambda: path.write_text("x")).start()
    assert wait_seconds(wake) < LONG / 2
    wake.close()


def test_touch_between_two_waits_wakes_the_watcher(path: Path) -> None:
    wake = Wakeup([path])
    os.utime(path)
    assert wait_seconds(wake) < LONG / 2
    assert wait_seconds(wake, 0.3) >= 0.3
    wake.close()


def test_end_of_a_process_wakes_even_if_it_is_not_a_child(path: Path) -> None:
    shell = subprocess.Popen(["sh", "-c", "sleep 0.5 & echo $!"], stdout=subprocess.PIPE, text=True)
    pid = int(shell.communicate()[0])
    wake = Wakeup([path], [pid])
    assert wait_seconds(wake) < LONG / 2
    wake.close()


def test_wait_ends_at_the_timeout(path: Path) -> None:
    wake = Wakeup([path])
    assert 0.2 <= wait_seconds(wake, 0.2) < LONG / 2
    wake.close()


def test_watcher_polls_often_enough_without_inotify(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_linux, "_open_inotify", lambda files: None)
    wake = Wakeup([path])
    assert wait_seconds(wake) < LONG / 2
    wake.close()


def test_watcher_leaks_no_descriptor(path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    Wakeup([path], [os.getpid()]).close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
