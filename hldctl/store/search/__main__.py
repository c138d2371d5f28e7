"""The builder of the index, started by `hldctl search`: `python -m hldctl.store.search`.

It indexes all that the feed has, in the background. If it is killed, the next search starts another.
"""

from __future__ import annotations

import os
import signal

from hldctl.paths import StateDirectory
from hldctl.store.database import open_for_reading
from hldctl.store.search import update
from hldctl.store.search.index import open_index
from hldctl.system import file_lock
from hldctl.system.error_log import log_uncaught_exceptions

# Longer than a probe holds the lock.
_LOCK_SECONDS = 0.2
_BUSY_TIMEOUT_SECONDS = 30.0


def main() -> None:
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    log_uncaught_exceptions()
    state = StateDirectory.from_environment().as_existing()
    os.chdir("/")
    if file_lock.acquire_quickly(state.search_lock, _LOCK_SECONDS) is None:
        return
    os.nice(10)
    with open_for_reading(state):
        index = open_index(state, _BUSY_TIMEOUT_SECONDS, may_create=True)
        assert index is not None
        while update.index_batch(index):
            pass
        index.close()


if __name__ == "__main__":
    main()
