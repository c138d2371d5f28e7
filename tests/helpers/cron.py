"""Debian's cron daemon with a private crontab, separate from that of the machine."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from tests.helpers import no_setgroups
from tests.helpers.sandbox import Completed, eventually, is_dead

_NAMESPACE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--mount")

# cron skips a job if it cannot set the job's groups, which is never allowed in a user namespace made without root.
_UNPRIVILEGED = () if os.geteuid() == 0 else (sys.executable, no_setgroups.__file__)

_EMPTY = '""'

# Hide the machine's crontabs, cron's pid file and lock, and the files from which PAM adds to a job's environment.
# cron is killed with the test: otherwise it would start the jobs again each minute, forever.
_SETUP = """
mount --bind "$1" /var/spool/cron/crontabs
mount -t tmpfs none /etc/cron.d
mount -t tmpfs none /run
for file in /etc/crontab /etc/environment /etc/default/locale; do
    [ ! -e $file ] || mount --bind "$2" $file
done
shift 2
exec setpriv --pdeathsig KILL "$@" cron -f
"""


@dataclass(frozen=True)
class Job:
    """A line of the crontab, and the files that it writes."""

    command: str
    files: Path

    @property
    def line(self) -> str:
        output, errors, code = (shlex.quote(str(path)) for path in (self.output, self.errors, self.code))
        command = f"{self.command} >{output} 2>{errors}; echo $? >{code}"
        assert not set(command) & set("%\n"), "cron would take it for the end of the command"
        return f"* * * * * {command}\n"

    @property
    def output(self) -> Path:
        return self.files.with_suffix(".out")

    @property
    def errors(self) -> Path:
        return self.files.with_suffix(".err")

    @property
    def code(self) -> Path:
        return self.files.with_suffix(".code")


class Cron:
    """A cron daemon that runs each job once, at the next full minute."""

    def __init__(self, directory: Path, variables: Mapping[str, str], jobs: Mapping[str, str]) -> None:
        self._jobs = {name: Job(command, directory / name) for name, command in jobs.items()}
        crontabs = directory / "crontabs"
        crontabs.mkdir(parents=True)
        crontab = crontabs / "root"
        # cron ignores the whole crontab if a variable has no value.
        lines = [f"{name}={value or _EMPTY}\n" for name, value in variables.items()]
        crontab.write_text("".join(lines + [job.line for job in self._jobs.values()]))
        crontab.chmod(0o600)
        empty_file = directory / "nothing"
        empty_file.touch()
        self._daemon = psutil.Popen(
            [*_NAMESPACE, "sh", "-ec", _SETUP, "sh", crontabs, empty_file, *_UNPRIVILEGED],
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        self._children: list[psutil.Process] = []

    def run_jobs(self) -> None:
        """Wait until each job has started, and stop cron; the jobs continue."""
        eventually(self._have_jobs_started, "cron to start its jobs")
        self._children = self._daemon.children()
        self._daemon.terminate()
        self._daemon.wait()

    def _have_jobs_started(self) -> bool:
        assert self._daemon.poll() is None, "cron is not running"
        return all(job.errors.exists() for job in self._jobs.values())

    def wait_for_job(self, name: str) -> Completed:
        """Wait until the job has ended, and return its result."""
        job = self._jobs[name]
        code = eventually(lambda: job.code.exists() and job.code.read_text(), f"the end of the job {name!r}")
        return Completed(job.command, int(code), job.output.read_text(), job.errors.read_text())

    def __enter__(self) -> Cron:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._daemon.poll() is None:
            self._children = self._daemon.children()
            self._daemon.kill()
            self._daemon.wait()
        # cron has one child per job, which waits for it; the sandbox kills the job itself.
        for child in self._children:
            if not is_dead(child):
                child.kill()
        eventually(lambda: all(is_dead(child) for child in self._children), "cron's processes to end")
