"""Private Linux namespaces, in which tests can exhaust resources without privileges."""

from __future__ import annotations

import shutil
import subprocess
from copy import copy
from pathlib import Path

import psutil

from tests.helpers.sandbox import Sandbox, eventually, kill_and_wait


class Namespace:
    """A user and mount namespace, in which the sandbox's commands run while it is open."""

    def __init__(self, sandbox: Sandbox, setup: str) -> None:
        """Create the namespace and run `setup` in it, by a shell as root."""
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
        namespaces = ("--user", "--mount", "--wd", "--target", target)
        sandbox.prefix = ("nsenter", "--preserve-credentials", *namespaces)

    def run(self, command: str) -> bool:
        """Run the shell command in the namespace; return whether it succeeded."""
        done = subprocess.run([*self._sandbox.prefix, "sh", "-ec", command], check=False, capture_output=True)
        return done.returncode == 0

    def path_from_outside(self, path: Path) -> Path:
        """Return the path by which a file of the namespace can be reached from outside."""
        return Path(f"/proc/{self._holder.pid}/root{path}")

    def close(self) -> None:
        self._holder.communicate("")
        self._sandbox.prefix = ()


class SmallDisk(Namespace):
    """A file system of a given size, only for the state directory."""

    def __init__(self, sandbox: Sandbox, options: str) -> None:
        self._mount = sandbox.state.root
        self._mount.mkdir(mode=0o700)
        super().__init__(sandbox, f"mount -t tmpfs -o mode=700,{options} none {self._mount}")

    @property
    def sessions(self) -> list[Path]:
        """The directories of the sessions."""
        return list(self.path_from_outside(self._mount).glob("sessions/*"))

    def remount(self, options: str) -> None:
        assert self.run(f"mount -o remount,{options} {self._mount}")

    def make_read_only(self) -> None:
        """Make the disk read-only, once no file is open: threads of a killed process may keep one open briefly."""
        eventually(lambda: self.run(f"mount -o remount,ro {self._mount}"), "the disk to be read-only")

    def fill(self) -> None:
        assert not self.run(f"cat /dev/zero > {self._mount}/filler")

    def make_room(self) -> None:
        assert self.run(f"rm {self._mount}/filler")

    def wait_for_text(self, session_id: str, text: str) -> None:
        """Wait until the session's journal contains the text."""
        journal = self.path_from_outside(self._mount) / "sessions" / session_id / "stdout.jsonl"
        eventually(lambda: text.encode() in journal.read_bytes(), f"{text!r} in the journal")

    def copy_out(self) -> None:
        """Copy the files to the same path outside, where tests can read them without hldctl."""
        # A named pipe cannot be copied.
        ignored = shutil.ignore_patterns("input")
        shutil.copytree(self.path_from_outside(self._mount), self._mount, dirs_exist_ok=True, ignore=ignored)


class Container:
    """A PID namespace with its own /proc, on the files of the sandbox, while it is open."""

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
        """A copy of the sandbox whose commands run in the container."""
        namespaces = ("--user", "--mount", "--pid", "--wd", "--target", str(self._first.pid))
        self.sandbox.prefix = ("nsenter", "--preserve-credentials", *namespaces)

    def processes(self, word: str) -> list[psutil.Process]:
        """Return the container's processes with the word in their command line, by their pids outside."""
        namespace = self._namespace_of(self._first.pid)
        return [
            process
            for process in self.sandbox.processes_with_argument(word)
            if self._namespace_of(process.pid) == namespace
        ]

    def close(self) -> None:
        """Kill the first process, and with it all others of the namespace."""
        if self._holder.poll() is None:
            kill_and_wait(self._first)
            self._holder.communicate("")

    @staticmethod
    def _namespace_of(pid: int) -> str:
        try:
            return str(Path(f"/proc/{pid}/ns/pid").readlink())
        except OSError:
            return ""
