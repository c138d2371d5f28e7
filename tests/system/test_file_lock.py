from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from hldctl.system import file_lock

HOLD = """
import sys
from pathlib import Path
from hldctl.system import file_lock
assert file_lock.acquire(Path(sys.argv[1]), 1) is not None
print("held", flush=True)
sys.stdin.read()
"""


def test_lock_is_held_until_its_holder_dies(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert file_lock.is_free(path)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert not file_lock.is_free(path)
        assert file_lock.acquire(path, 0) is None
        holder.kill()
    assert file_lock.is_free(path)
    assert path.exists()


def test_probes_do_not_disturb_each_other_or_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    stop, answers = threading.Event(), set()

    def probe() -> None:
        while not stop.is_set():
            answers.add(file_lock.is_free(path))

    probes = [threading.Thread(target=probe) for _ in range(4)]
    for thread in probes:
        thread.start()
    descriptors = [file_lock.acquire(path, 5) for _ in range(1)]
    stop.set()
    for thread in probes:
        thread.join()
    assert descriptors != [None]
    assert True in answers or not file_lock.is_free(path)
    for descriptor in descriptors:
        assert descriptor is not None
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)
