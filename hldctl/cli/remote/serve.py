"""The other end of `hldctl --host`: takes a request, and runs it as if it had been typed on this machine.

Without a terminal, a small process stays above the command and watches the connection: it passes signals on that the
user sends, and ends a command that nobody reads any more. sshd itself would only close the pipes.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from typing import NoReturn

from hldctl.cli import output, resumption, standard_streams
from hldctl.cli.completion.parser import load_commands
from hldctl.cli.host_option import VARIABLE
from hldctl.cli.remote.received_files import replace_standard_input, resolve
from hldctl.cli.remote.request import IN_FILE, ON_STANDARD_INPUT, Request, decode
from hldctl.errors import ExitCode, UnfitEnvironment
from hldctl.system.processes import shell_exit_code
from hldctl.version import __version__

_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})
_READ_SIZE = 1 << 16


def receive(argument: str) -> Request:
    """Take a request, and return it in the process that has to run its words, with their numbers of files resolved.

    Raise UnfitEnvironment for a request that cannot be used.
    """
    request = decode(_read(argument))
    has_link = argument == ON_STANDARD_INPUT
    os.write(1, resumption.MARK + json.dumps({"hldctl": __version__}).encode() + b"\n")
    if has_link:
        _leave_watcher(ends_with_link=request.ends_with_link)
        replace_standard_input(request.standard_input)
    os.environ.pop(VARIABLE, None)
    os.environ.update(request.environment)
    standard_streams.declare_attended(request.is_attended)
    if request.host:
        output.name_host(request.host, load_commands().commands)
    if request.is_resumable:
        resumption.enable(sys.stdout, request.position)
    return request._replace(words=[resolve(word, request.files) for word in request.words])


def _read(argument: str) -> bytes:
    if argument.startswith(IN_FILE):
        path = argument.removeprefix(IN_FILE)
        try:
            with open(path, "rb") as file:
                data = file.read()
            os.unlink(path)
        except OSError as error:
            raise UnfitEnvironment(f"Cannot read the request {path}: {error.strerror or error}.") from None
        return data.rstrip()
    if argument != ON_STANDARD_INPUT:
        return argument.encode("utf-8", "replace")
    chunks: list[bytes] = []
    while not chunks or not chunks[-1].endswith(b"\n"):
        if not (chunk := os.read(0, _READ_SIZE)):
            # The connection was lost before the request was complete.
            sys.exit(ExitCode.ENVIRONMENT)
        chunks.append(chunk)
    return b"".join(chunks).rstrip()


def _leave_watcher(*, ends_with_link: bool) -> None:
    """Fork, and return in the child; the parent watches the connection until the child has ended."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    former = {number: signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP)}
    wakeup = signal.set_wakeup_fd(writer)
    for number in former:
        # The numbers arrive in the pipe.
        signal.signal(number, lambda number, frame: None)
    child = os.fork()
    if child:
        _watch(child, reader, ends_with_link=ends_with_link)
    signal.set_wakeup_fd(wakeup)
    for number, handler in former.items():
        signal.signal(number, handler)
    os.close(reader)
    os.close(writer)


def _watch(child: int, reader: int, *, ends_with_link: bool) -> NoReturn:
    """Pass signals on to the child until it has ended, and exit as it did."""
    is_connected = True
    while True:
        ready, _, _ = select.select([0, reader] if is_connected else [reader], [], [])
        if reader in ready:
            arrived = os.read(reader, _READ_SIZE)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                os._exit(shell_exit_code(status))
            _pass_on(child, arrived, {signal.SIGTERM, signal.SIGHUP})
        if 0 in ready:
            try:
                data = os.read(0, _READ_SIZE)
            except OSError:
                data = b""
            _pass_on(child, data, _SIGNALS)
            if not data:
                is_connected = False
                if ends_with_link:
                    os.kill(child, signal.SIGHUP)


def _pass_on(child: int, numbers: bytes, allowed: frozenset[signal.Signals] | set[signal.Signals]) -> None:
    for number in numbers:
        if number in allowed:
            # The child exists at least as a zombie.
            os.kill(child, number)
