"""A Linux namespace of the test's own, in which the machine can be made to run out of things, without any privilege."""

from __future__ import annotations

import shutil
import subprocess
from copy import copy
from pathlib import Path

import psutil

from tests.helpers.sandbox import Sandbox, eventually, kill_and_wait


class Namespace:
    """Commands of the sandbox run in it while it is open."""

    def __init__(self, sandbox: Sandbox, setup: str) -> None:
        """`setup` is run by a shell as the namespace's root."""
        self._sandbox = sandbox
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", f"{setup}\necho ready; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=sandbox.work,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n", "no user namespace can be made here"
        target = str(self._holder.pid)
        entered = ("--user", "--mount", "--wd", "--target", target)
        sandbox.prefix = ("nsenter", "--preserve-credentials", *entered)

    def run(self, command: str) -> bool:
        """Says whether that succeeded."""
        done = subprocess.run([*self._sandbox.prefix, "sh", "-ec", command], check=False, capture_output=True)
        return done.returncode == 0

    def seen(self, path: Path) -> Path:
        """What is at that path inside, for those outside."""
        return Path(f"/proc/{self._holder.pid}/root{path}")

    def close(self) -> None:
        self._holder.communicate("")
        self._sandbox.prefix = ()


class SmallDisk(Namespace):
    """A file system of a given size for the state directory, and for nothing else."""

    def __init__(self, sandbox: Sandbox, options: str) -> None:
        self._mount = sandbox.state.root
        self._mount.mkdir(mode=0o700)
        super().__init__(sandbox, f"mount -t tmpfs -o mode=700,{options} none {self._mount}")

    @property
    def sessions(self) -> list[Path]:
        """The sessions' directories."""
        return list(self.seen(self._mount).glob("sessions/*"))

    def remount(self, options: str) -> None:
        assert self.run(f"mount -o remount,{options} {self._mount}")

    def make_read_only(self) -> None:
        """Once nobody holds a file open: the threads of a process that was killed may do so for a moment."""
        eventually(lambda: self.run(f"mount -o remount,ro {self._mount}"), "the disk to be read-only")

    def fill(self) -> None:
        assert not self.run(f"cat /dev/zero > {self._mount}/filler")

    def make_room(self) -> None:
        assert self.run(f"rm {self._mount}/filler")

    def has(self, session_id: str, text: str) -> None:
        """Waits until Claude Code has written that."""
        journal = self.seen(self._mount) / "sessions" / session_id / "stdout.jsonl"
        eventually(lambda: text.encode() in journal.read_bytes(), f"{text!r} in the journal")

    def carry_out(self) -> None:
        """Copies what is on it to the same path outside, where it can be looked into by other means than hldctl."""
        shutil.copytree(self.seen(self._mount), self._mount, dirs_exist_ok=True)


class Container:
    """A PID namespace of its own with its own /proc, on the files of the sandbox, for as long as it is open."""

    def __init__(self, sandbox: Sandbox) -> None:
        setup = ["sh", "-c", "echo ready; exec cat"]
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", *setup],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=sandbox.work,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n", "no PID namespace can be made here"
        (self._first,) = psutil.Process(self._holder.pid).children()
        self.sandbox = copy(sandbox)
        """Its commands run in the container."""
        entered = ("--user", "--mount", "--pid", "--wd", "--target", str(self._first.pid))
        self.sandbox.prefix = ("nsenter", "--preserve-credentials", *entered)

    def processes(self, word: str) -> list[psutil.Process]:
        """Those of the sandbox with that word in their command line, by their pids outside."""
        namespace = self._namespace_of(self._first.pid)
        return [process for process in self.sandbox.running(word) if self._namespace_of(process.pid) == namespace]

    def close(self) -> None:
        """Ends it, and with its first process all others."""
        if self._holder.poll() is None:
            kill_and_wait(self._first)
            self._holder.communicate("")

    @staticmethod
    def _namespace_of(pid: int) -> str:
        try:
            return str(Path(f"/proc/{pid}/ns/pid").readlink())
        except OSError:
            return ""
