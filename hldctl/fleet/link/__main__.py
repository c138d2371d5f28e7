"""Entry point of the link: `python -m hldctl.fleet.link`, started by supervisors and commands."""

from __future__ import annotations

import os
import signal

from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.private_files import replace_private
from hldctl.system import file_lock
from hldctl.system.error_log import log, log_uncaught_exceptions

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
    try:
        from hldctl.fleet.link import link
    except UnfitEnvironment as error:
        # Without the driver.
        log(str(error))
        replace_private(state.fleet.problem, f"{error}\n".encode())
        return
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
