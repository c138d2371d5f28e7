"""Sleeping until a file changes, a process ends, or time is up.

`Wakeup(files, pids, descriptors)` wakes its owner after any of the files was written or touched, or any of the
processes ended, and while any of the descriptors, such as a terminal's, has something to be read.
`wait(seconds)` returns then, or when the seconds are over; None waits for ever. It returns False if the seconds are
over and nothing has happened. True says only that something may have happened: the owner looks for itself. What happens
between two waits wakes the second one at once.
"""

from __future__ import annotations

import sys

if sys.platform == "linux":
    from hldctl.system.watcher._linux import Wakeup
else:
    from hldctl.system.watcher._kqueue import Wakeup

__all__ = ["Wakeup"]
