"""A private place for one test: a HOME, a state directory, a working directory, and hldctl run as a user would."""

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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from hldctl.paths import SessionFiles, StateDirectory
from hldctl.rehearsal.script import parse
from hldctl.rehearsal.server import RehearsalServer

PATIENCE = 180.0
"""Seconds after which what a test waits for counts as missing."""

GATED = 'say One.\ncall Bash {"command": "until [ -e go-on ]; do sleep 0.1; done"}\n\nsay Two.'
"""A conversation that stays in its midst until `go_on`."""

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
    """Also one that its parent has not buried yet."""
    try:
        return process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return True


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kills them; one may die first, often because another did."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def eventually(look: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """What `look` gives once that is true; fails when patience is over."""
    deadline = time.monotonic() + patience
    while True:
        begun = time.monotonic()
        if found := look():
            return found
        if (now := time.monotonic()) > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain: {what}")
        # For as long as the look took: some are whole commands, and others need the processor too.
        time.sleep(max(0.02, now - begun))


def kill_and_wait(process: psutil.Process) -> None:
    """Kills it, and waits for its death."""
    kill([process])
    eventually(lambda: is_dead(process), "its death")


def wakeups(process: psutil.Process) -> int:
    """How often it has waited for something and gone on."""
    return int(process.num_ctx_switches().voluntary)


def falls_asleep(process: psutil.Process) -> None:
    """Waits until it waits for something that does not happen, rather than for its turn or for the disk."""

    def sleeps() -> bool:
        before = wakeups(process)
        time.sleep(0.5)
        return wakeups(process) == before and process.status() == psutil.STATUS_SLEEPING

    eventually(sleeps, "it to fall asleep")


@dataclass
class Sandbox:
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    server: RehearsalServer | None = None
    prefix: tuple[str, ...] = ()
    """What commands are run by, such as `nsenter`."""

    def __post_init__(self) -> None:
        for directory in (self.home, self.work, self.temporary):
            directory.mkdir(parents=True)
        self.environment = {
            "HOME": str(self.home),
            "HLDCTL_HOME": str(self.state.root),
            "HLDCTL_CLAUDE": str(claude_binary()),
            "IS_SANDBOX": "1",
            "LANG": "C.UTF-8",
            # Claude Code's own left-overs, too, go with the test.
            "CLAUDE_CODE_TMPDIR": str(self.temporary),
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "TERM": "dumb",
            # Nobody waits for an API that a test lets fail.
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

    def go_on(self) -> None:
        """Let a `GATED` script continue."""
        (self.work / "go-on").touch()

    def play(self, script: str) -> None:
        """Starts the scripted Messages API; sessions launched from now on talk to it."""
        assert self.server is None, "one script a sandbox"
        self.server = RehearsalServer(parse(script))
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.environment |= self.server.environment()

    def configure(self, text: str) -> None:
        """Writes the user's configuration file."""
        file = self.home / ".config" / "hldctl" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def claude(self, script: str) -> Path:
        """A stand-in for Claude Code, for streams that the real one cannot be made to produce."""
        path = self.root / "claude"
        path.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\n{script}")
        path.chmod(0o755)
        self.environment["HLDCTL_CLAUDE"] = str(path)
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
        return subprocess.run(
            [*self.prefix, sys.executable, "-m", "hldctl", *map(str, arguments)],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            cwd=cwd or self.work,
            env=self.environment | dict(environment or {}),
            timeout=PATIENCE,
            check=False,
        )

    def ok(self, *arguments: str | Path, **options: Any) -> str:
        """What a command that must succeed prints."""
        done = self.run(*arguments, **options)
        assert done.returncode == 0, f"exit {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def launch(self, *arguments: str | Path, **options: Any) -> str:
        return self.ok("launch", *arguments, **options).strip()

    def show(self, session_id: str) -> Json:
        shown: Json = json.loads(self.ok("show", session_id, "--json"))
        return shown

    def events(self, session_id: str) -> list[Json]:
        shown: list[Json] = json.loads(self.ok("show", session_id, "--events", "--json"))
        return shown

    def sql(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Query the database, or change it, without hldctl."""
        database = sqlite3.connect(self.state.database, timeout=PATIENCE)
        try:
            with database:
                return database.execute(statement, parameters).fetchall()
        finally:
            database.close()

    def ended(self, session_id: str) -> Json:
        """The session once it has ended."""
        self.run("wait", session_id)
        return self.show(session_id)

    def journal_has(self, session_id: str, text: str) -> None:
        """Waits until Claude Code has written that."""
        journal = self.files(session_id).journal
        eventually(lambda: text.encode() in journal.read_bytes(), f"{text!r} in the journal")

    def processes(self, chosen: Callable[[psutil.Process], bool] = lambda process: True) -> list[psutil.Process]:
        """What was started from this sandbox and still lives; what dies while it is asked is left out."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("HLDCTL_HOME") == str(self.state.root)
                alive = process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid()
                if ours and alive and chosen(process):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def running(self, word: str) -> list[psutil.Process]:
        """Those with a word like that in their command line."""
        return self.processes(lambda process: any(word in argument for argument in process.cmdline()))

    def supervisors(self) -> list[psutil.Process]:
        return self.running("hldctl.supervisor")

    def close(self) -> None:
        """Ends all that is left of the test."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
        self.power_off()

    def power_off(self) -> None:
        """Kill all processes, including those that start while others are killed."""

        def all_are_dead() -> bool:
            kill(self.processes())
            return not self.processes()

        eventually(all_are_dead, "everything to stop")
