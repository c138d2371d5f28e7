"""Waiting for changes of files, exits of processes, and input.

`Wakeup(files, pids, descriptors)` wakes its owner after one of the files was written or touched, after one of the
processes ended, and while one of the descriptors, such as a terminal's, is readable. `wait(seconds)` returns then, or
after the timeout; None means no timeout. It returns False if the timeout passed and nothing happened. True means only
that something may have happened: the owner has to check. An event between two waits ends the second one at once.
"""

from __future__ import annotations

import sys

if sys.platform == "linux":
    from hldctl.system.watcher._linux import Wakeup
else:
    from hldctl.system.watcher._kqueue import Wakeup

__all__ = ["Wakeup"]
