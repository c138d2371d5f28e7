"""A private home, state directory and working directory for a test, in which it runs hldctl as a user would."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from hldctl.paths import SessionFiles, StateDirectory
from hldctl.rehearsal.script import parse
from hldctl.rehearsal.server import RehearsalServer
from tests.helpers.json_contract import require_contract

TIMEOUT_SECONDS = 180.0
"""How long a test waits for something before it fails."""

GATED_SCRIPT = 'say One.\ncall Bash {"command": "until [ -e go-on ]; do sleep 0.1; done"}\n\nsay Two.'
"""A conversation that stops halfway until `go_on` is called."""

Completed = subprocess.CompletedProcess[str]
Json = dict[str, Any]
T = TypeVar("T")


def claude_binary() -> Path:
    """The genuine Claude Code; a suite without it would prove nothing, so it fails."""
    spec = importlib.util.find_spec("claude_agent_sdk")
    binary = Path(spec.origin).parent / "_bundled" / "claude" if spec and spec.origin else None
    if binary is None or not binary.is_file():
        raise RuntimeError("The real Claude Code is missing; get it with: pip install claude-agent-sdk")
    return binary


def is_dead(process: psutil.Process) -> bool:
    """Return whether the process is gone, or is a zombie that its parent has not reaped yet."""
    try:
        return process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return True


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill the processes; ignore those that have exited already."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def eventually(look: Callable[[], T], what: str, patience: float = TIMEOUT_SECONDS) -> T:
    """Call `look` until its result is true, and return it. Raise AssertionError after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        started = time.monotonic()
        if result := look():
            return result
        if (now := time.monotonic()) > deadline:
            raise AssertionError(f"not within {patience:.0f} s: {what}")
        # Sleep as long as the call took: some calls run a command, and other processes need the processor, too.
        time.sleep(max(0.02, now - started))


def kill_and_wait(process: psutil.Process) -> None:
    """Kill a process and wait until it is dead."""
    kill([process])
    eventually(lambda: is_dead(process), "its death")


@contextlib.contextmanager
def suspended(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Stop these processes for the block."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def count_wakeups(process: psutil.Process) -> int:
    """Return how often the process has woken up: its voluntary context switches."""
    return int(process.num_ctx_switches().voluntary)


def wait_until_asleep(process: psutil.Process) -> None:
    """Wait until the process sleeps for 0.3 s, rather than waits for the processor or the disk.

    With half a second, `eventually` looks once a second: in step with a process that wakes up once a second.
    """

    def is_asleep() -> bool:
        before = count_wakeups(process)
        time.sleep(0.3)
        return count_wakeups(process) == before and process.status() == psutil.STATUS_SLEEPING

    eventually(is_asleep, "the process to sleep")


def _is_guard(process: psutil.Process) -> bool:
    try:
        return process.name() == "sh"
    except psutil.NoSuchProcess:
        return False


@dataclass
class Sandbox:
    """A private home, state directory and working directory, and the commands that run in them."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    server: RehearsalServer | None = None
    prefix: tuple[str, ...] = ()
    """What commands are run by, such as `nsenter`."""
    is_other_version: bool = False
    """True if the commands are those of a changed copy, whose JSON the schemas do not describe."""

    def __post_init__(self) -> None:
        for directory in (self.home, self.work, self.temporary):
            directory.mkdir(parents=True)
        self.environment = {
            "HOME": str(self.home),
            "HLDCTL_HOME": str(self.state.root),
            "HLDCTL_CLAUDE": str(claude_binary()),
            "IS_SANDBOX": "1",
            "LANG": "C.UTF-8",
            # So that Claude Code's own temporary files are deleted with the test.
            "CLAUDE_CODE_TMPDIR": str(self.temporary),
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "TERM": "dumb",
            # Keep tests of a failing API short.
            "CLAUDE_CODE_MAX_RETRIES": "1",
        } | self.environment

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def state(self) -> StateDirectory:
        return StateDirectory(self.root / "state")

    def files(self, session_id: str) -> SessionFiles:
        return self.state.session(session_id)

    def release(self) -> None:
        """Let a `GATED` conversation continue."""
        (self.work / "go-on").touch()

    def serve_script(self, script: str) -> None:
        """Start a mock of the Messages API that follows a script. Sessions launched after it use it."""
        assert self.server is None, "a sandbox has one script"
        self.server = RehearsalServer(parse(script))
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.environment |= self.server.environment()

    def configure(self, text: str) -> None:
        """Write the user's configuration file."""
        file = self.home / ".config" / "hldctl" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def fake_claude(self, script: str) -> Path:
        """Replace Claude Code with a Python script, for streams that the real one does not write. Return its path."""
        path = self.root / "claude"
        path.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\n{script}")
        path.chmod(0o755)
        # Without any login, `launch` would wait for a first reply.
        self.environment |= {"HLDCTL_CLAUDE": str(path), "ANTHROPIC_API_KEY": "unused"}
        return path

    def popen(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        command = [*self.prefix, sys.executable, "-m", "hldctl", *map(str, arguments)]
        return subprocess.Popen(command, cwd=self.work, env=self.environment, text=True, **options)

    def run(
        self,
        *arguments: str | Path,
        input: str | None = None,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Completed:
        done = subprocess.run(
            [*self.prefix, sys.executable, "-m", "hldctl", *map(str, arguments)],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            cwd=cwd or self.work,
            env=self.environment | dict(environment or {}),
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if not self.is_other_version:
            require_contract([str(argument) for argument in arguments], done.stdout)
        return done

    def ok(self, *arguments: str | Path, **options: Any) -> str:
        """Run a command that must succeed, and return its standard output."""
        done = self.run(*arguments, **options)
        assert done.returncode == 0, f"exit {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def launch(self, *arguments: str | Path, **options: Any) -> str:
        return self.ok("launch", *arguments, **options).strip()

    def show(self, session_id: str) -> Json:
        session: Json = json.loads(self.ok("show", session_id, "--json"))
        return session

    def events(self, session_id: str) -> list[Json]:
        events: list[Json] = json.loads(self.ok("show", session_id, "--events", "--json"))
        return events

    def sql(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement on hldctl's database and return the rows."""
        database = sqlite3.connect(self.state.database, timeout=TIMEOUT_SECONDS)
        try:
            with database:
                return database.execute(statement, parameters).fetchall()
        finally:
            database.close()

    def wait_for_end(self, session_id: str) -> Json:
        """Wait until the session has ended, and return it."""
        self.run("wait", session_id)
        return self.show(session_id)

    def wait_for_journal(self, session_id: str, text: str) -> None:
        """Wait until Claude Code has written this text."""
        journal = self.files(session_id).journal
        eventually(lambda: text.encode() in journal.read_bytes(), f"{text!r} in the journal")

    def processes(self, predicate: Callable[[psutil.Process], bool] = lambda process: True) -> list[psutil.Process]:
        """Return the running processes of this sandbox that match, except those that exit during the search."""
        matches = []
        for process in psutil.process_iter():
            try:
                is_ours = process.environ().get("HLDCTL_HOME") == str(self.state.root)
                is_alive = process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid()
                if is_ours and is_alive and predicate(process):
                    matches.append(process)
            except psutil.Error:
                continue
        return matches

    def processes_with_argument(self, text: str) -> list[psutil.Process]:
        """Return the processes of this sandbox with this text in an argument of their command line."""
        return self.processes(lambda process: any(text in argument for argument in process.cmdline()))

    def supervisors(self) -> list[psutil.Process]:
        return [process for process in self.processes_with_argument("hldctl.supervisor") if not _is_guard(process)]

    def guards(self) -> list[psutil.Process]:
        """Return the processes that start another supervisor when theirs is killed."""
        return [process for process in self.processes_with_argument("hldctl.supervisor") if _is_guard(process)]

    def close(self) -> None:
        """Stop the mock API and kill all processes of the sandbox."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
        self.power_off()

    def power_off(self) -> None:
        """Kill all processes of the sandbox until none is left: one may start another before it is killed."""

        def kill_all() -> bool:
            kill(self.processes())
            return not self.processes()

        eventually(kill_all, "all processes to exit")
