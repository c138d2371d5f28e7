"""`hldctl --host`: runs a command on another machine, with its files, input, terminal and signals from here.

A connection that breaks is made again for commands that follow or wait, which continue where they were. Other commands
are never repeated: nobody can know whether they were carried out.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hldctl.cli import output, standard_streams
from hldctl.cli.command_line import CommandLine
from hldctl.cli.remote import connection, files, request, ssh
from hldctl.cli.remote.conduct import Conduct, conduct
from hldctl.cli.remote.connection import Signals
from hldctl.cli.remote.output_splitter import OutputSplitter
from hldctl.cli.remote.request import Request
from hldctl.cli.resumption import Position
from hldctl.cli.standard_streams import is_attended
from hldctl.errors import ExitCode, UnfitEnvironment
from hldctl.paths import StateDirectory

_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.5, 30.0
# Arguments of a process are public, and limited to 128 KiB each.
_MAX_ARGUMENT = 32_000
# The end of what a command may have set: a hidden cursor, no wrapping, colours; and the alternate screen.
_RESET = b"\x1b[?25h\x1b[?7h\x1b[0m\r\n"
_ALTERNATE_SCREEN, _MAIN_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"


class _Ended(NamedTuple):
    """How a connection ended."""

    code: int
    is_started: bool
    position: Position | None
    reason: str

    @property
    def is_broken(self) -> bool:
        return self.code == ssh.FAILURE


def run(line: CommandLine) -> int:
    """Run the command there, and return its exit code; raise an HldctlError if it cannot be run."""
    assert line.host is not None
    if line.path in (("launch",), ("continue",)):
        # Imported here: other commands need no database here.
        from hldctl.sessions import policies

        policies.refuse_to_launch_elsewhere(StateDirectory.from_environment())
    if line.path == ("export",) and (path := line.value(files.OUTPUT_OPTION)) is not None:
        return _export_to_file(line, path)
    client = _Client(line, line.host, _write)
    try:
        code = client.run()
    except OSError as error:
        if error is not standard_streams.write_error():
            raise
        code = ExitCode.DONE
    failure = standard_streams.flush()
    return code if failure is None or code != ExitCode.DONE else output.exit_code_of_failure(failure)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _write_noise(data: bytes) -> None:
    if data.strip():
        sys.stderr.write(data.decode("utf-8", "replace"))
        sys.stderr.flush()


class _Client:
    def __init__(self, line: CommandLine, host: str, write: Callable[[bytes], None]) -> None:
        self._line = line
        self._host = host
        self._write = write
        self._conduct = conduct(line)
        self._has_terminal = self._conduct.needs_terminal
        words, sent_files = files.resolve_local_files(line, os.environ)
        self._request = Request(
            words,
            sent_files,
            host,
            files.read_standard_input(line) or None,
            files.sent_variables(),
            is_attended(),
            self._conduct.ends_with_link,
            self._conduct.is_resumable,
        )
        self._ssh = ssh.Ssh(host, asks=is_attended())
        self._signals = Signals()
        self._is_lost = False
        self._is_on_alternate_screen = False

    def run(self) -> int:
        if self._conduct.keeps_exit_code:
            standard_streams.tolerate_write_errors(output.print_write_error)
        started, position = time.monotonic(), None
        with self._signals.caught(), self._ssh.log() as log:
            pause = _FIRST_PAUSE_SECONDS
            while True:
                ended = self._connect(log, position)
                position = ended.position
                if self._signals.last is not None and (ended.is_broken or not ended.is_started):
                    if ended.is_started and not self._conduct.is_reader:
                        output.print_note(
                            f"stopped before {self._host} had answered; {_advice(self._conduct, self._host)}"
                        )
                    break
                if not ended.is_broken and ended.is_started:
                    return ended.code
                if ended.is_started:
                    pause = _FIRST_PAUSE_SECONDS
                self._require_hope(ended)
                if not self._signals.sleep(pause):
                    break
                pause = min(2 * pause, _MAX_PAUSE_SECONDS)
                if position is not None:
                    position = self._resumed(position, time.monotonic() - started)
        return _stop(self._signals.last)

    def _connect(self, log: Path, position: Position | None) -> _Ended:
        try:
            return self._run_once(log, self._request._replace(position=position))
        finally:
            with contextlib.suppress(OSError):
                log.unlink()

    def _run_once(self, log: Path, asked: Request) -> _Ended:
        splitter = OutputSplitter(
            self._write_data,
            _write_noise,
            has_marks=asked.is_resumable,
            # A terminal shows lines that are redrawn, without a mark after each.
            holds=asked.is_resumable and not self._has_terminal and not self._is_raw,
            counts=self._is_raw,
            position=asked.position,
            on_start=self._note_connected,
        )
        data = request.encode(asked)
        if self._has_terminal:
            argument = self._as_argument(data, log)
            if isinstance(argument, _Ended):
                return argument
            standard_input = None
        else:
            argument, standard_input = request.ON_STANDARD_INPUT, data + b"\n"
        script = ssh.run_script(request.COMMAND, argument)
        code = connection.run(
            self._ssh.command(log, script, pty=self._has_terminal),
            standard_input,
            splitter,
            self._signals,
            passes_signals=not self._conduct.is_reader,
        )
        if code != ssh.FAILURE:
            splitter.finish()
        return _Ended(code, splitter.is_started, splitter.position, ssh.reason(log))

    def _write_data(self, data: bytes) -> None:
        switch = max(data.rfind(_ALTERNATE_SCREEN), data.rfind(_MAIN_SCREEN))
        if switch >= 0:
            self._is_on_alternate_screen = data.startswith(_ALTERNATE_SCREEN, switch)
        self._write(data)

    @property
    def _is_raw(self) -> bool:
        return self._line.has("--raw")

    def _as_argument(self, data: bytes, log: Path) -> str | _Ended:
        """Return what names the request on a command line; store it there first if it is private or long."""
        # Other commands may have a query, or variables.
        if self._conduct.is_reader and len(data) <= _MAX_ARGUMENT:
            return data.decode()
        stored = bytearray()
        splitter = OutputSplitter(stored.extend, stored.extend, has_marks=False, holds=False)
        command = self._ssh.command(log, ssh.store_script(), pty=False)
        code = connection.run(command, data + b"\n", splitter, self._signals, passes_signals=False, closes_input=True)
        splitter.finish()
        path = bytes(stored).decode("utf-8", "replace").rpartition(ssh.STORED)[2].strip()
        if code or not path:
            return _Ended(code or ExitCode.ENVIRONMENT, False, None, ssh.reason(log) or "it cannot store a file")
        return f"{request.IN_FILE}{path}"

    def _resumed(self, position: Position, waited_seconds: float) -> Position:
        seen = position.seen
        if self._has_terminal:
            # Requests that wait are asked again: what was on the screen is not.
            seen = frozenset(each for each in seen if each[1] != "pending")
        return position._replace(seen=seen, waited_seconds=waited_seconds)

    def _note_connected(self) -> None:
        if self._is_lost:
            output.print_note(f"connected to {self._host} again")
            self._is_lost = False

    def _require_hope(self, ended: _Ended) -> None:
        """Print that the connection is lost, once; raise UnfitEnvironment if another one would not help."""
        was_started = ended.is_started or self._is_lost
        if not ended.is_broken:
            raise UnfitEnvironment(self._startup_problem(ended))
        if not was_started and (self._conduct.is_reader or ssh.is_before_command(ended.reason)):
            raise UnfitEnvironment(f"{self._host} cannot be reached by ssh{_because(ended.reason)}.")
        if ended.is_started and self._has_terminal:
            self._write((_MAIN_SCREEN if self._is_on_alternate_screen else b"") + _RESET)
        lost = f"The connection to {self._host} was lost{_because(ended.reason)}"
        if not self._conduct.is_resumable or ssh.is_refusal(ended.reason):
            raise UnfitEnvironment(f"{lost}; {_advice(self._conduct, self._host)}")
        if not self._is_lost:
            output.print_note(f"{lost[0].lower()}{lost[1:]}; connecting again, Ctrl-C stops")
        self._is_lost = True

    def _startup_problem(self, ended: _Ended) -> str:
        host = self._host
        if ended.code == ssh.NOT_FOUND:
            return (
                f"hldctl was not found on {host}, neither on the PATH of its shells nor in ~/.local/bin; install it "
                f"there, for example with pipx."
            )
        if ended.code == ExitCode.USAGE:
            return f"hldctl on {host} is too old for --host; update it there."
        if ended.code == ExitCode.ENVIRONMENT:
            return f"hldctl on {host} cannot run this command."
        return f"hldctl could not be started on {host} (exit code {ended.code}); try: ssh {host} hldctl --version"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _advice(behaviour: Conduct, host: str) -> str:
    if behaviour.is_reader:
        return "run the command again."
    if behaviour.is_attached:
        return f"a session that was launched continues, so look first: hldctl -H {host} ls"
    return f"whether the command was carried out is unknown, so look first: hldctl -H {host} ls"


def _stop(number: signal.Signals | None) -> int:
    if number is signal.SIGTERM:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    return ExitCode.INTERRUPTED


def _export_to_file(line: CommandLine, path: str) -> int:
    """Write an export to a file on this machine, as if it had been exported here."""
    from hldctl.cli.commands import export

    file = Path(path)
    given = line.value("--format")
    chosen = export.choose_format(None if given is None else export.Format(given), file)
    tokens = tuple(token for token in line.tokens if not token.is_option(files.OUTPUT_OPTION, "--format"))
    asked = line._replace(tokens=tokens)
    asked = asked._replace(rest=(f"--format={chosen}", *asked.rest))
    pieces: list[bytes] = []
    assert line.host is not None
    code = _Client(asked, line.host, pieces.append).run()
    if code == ExitCode.DONE:
        umask = os.umask(0o077)
        export.write(file, iter(pieces), umask)
    return code
