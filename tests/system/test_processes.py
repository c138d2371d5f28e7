from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from hldctl.system.processes import exit_code_of_zombie, identify, is_running, pid_scope
from tests.helpers.sandbox import eventually


def test_process_is_recognised_until_it_ends() -> None:
    child = subprocess.Popen(["sleep", "60"])
    identity = identify(child.pid)
    assert identity is not None
    assert is_running(identity)
    child.kill()
    child.wait()
    assert not is_running(identity)
    assert identify(child.pid) is None


def test_zombie_is_not_running_and_its_exit_code_is_readable() -> None:
    for command, code in ((["sh", "-c", "exit 3"], 3), (["sleep", "60"], -signal.SIGTERM)):
        child = subprocess.Popen(command)
        identity = identify(child.pid)
        assert identity is not None
        if code < 0:
            child.terminate()
        eventually(lambda identity=identity: not is_running(identity), "the zombie")  # type: ignore[misc]
        assert exit_code_of_zombie(identity) == code
        child.wait()
        assert exit_code_of_zombie(identity) is None


def test_reused_pid_is_another_process() -> None:
    mine = identify(os.getpid())
    assert mine is not None
    assert is_running(mine)
    assert not is_running(mine._replace(started=mine.started - 1))
    assert not is_running(mine._replace(boot_id="another boot"))
    assert mine.boot_id == pid_scope() != ""


def test_process_name_with_parentheses_and_spaces_is_parsed(tmp_path: Path) -> None:
    odd = tmp_path / ") R 1 (x"
    odd.symlink_to("/bin/sleep")
    child = subprocess.Popen([odd, "60"])
    identity = eventually(lambda: identify(child.pid), "the process")
    eventually(lambda: Path(f"/proc/{child.pid}/comm").read_text() == f"{odd.name}\n", "its name")
    assert identity is not None
    assert is_running(identity)
    assert identify(child.pid) == identity
    child.kill()
    child.wait()
