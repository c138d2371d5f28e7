"""Entry point of the link: `python -m hldctl.fleet.link`, started by supervisors and commands."""

from __future__ import annotations

import os
import signal

from hldctl.paths import StateDirectory
from hldctl.system import file_lock
from hldctl.system.error_log import log_uncaught_exceptions

# Longer than a probe holds the lock.
_LOCK_SECONDS = 0.2


def main() -> None:
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    log_uncaught_exceptions()
    state = StateDirectory.from_environment().as_existing()
    os.chdir("/")
    # Before the driver is loaded: of several links that start at once, one has to.
    if (lock := file_lock.acquire_quickly(state.fleet.lock, _LOCK_SECONDS)) is None:
        return
    from hldctl.fleet.link import link

    while True:
        link.run(state)
        os.close(lock)
        # What came since the last look found the lock taken.
        if not link.has_work(state):
            return
        if (lock := file_lock.acquire_quickly(state.fleet.lock, _LOCK_SECONDS)) is None:
            return


if __name__ == "__main__":
    main()
