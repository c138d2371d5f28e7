"""Candidates for TAB from another machine: its sessions, requests, names, tools and branches."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence

from hldctl.cli import command_line
from hldctl.cli.completion.candidates import Candidate
from hldctl.cli.remote import request, ssh
from hldctl.cli.remote.request import Request
from hldctl.cli.resumption import MARK

# A person waits in front of the command line.
_CONNECT_SECONDS = 2
_PATIENCE_SECONDS = 4


def ask(words: Sequence[str]) -> list[Candidate] | None:
    """Return the candidates for the last word on the machine that the words name; None if they name none."""
    *before, typed = words
    line = command_line.parse(before)
    if line.host is None:
        return None
    return [
        Candidate(*text.split("\t", 1)) for text in _fetch(line.host, [*line.words, typed]) if not text.startswith(":")
    ]


def _fetch(host: str, words: list[str]) -> list[str]:
    connection = ssh.Ssh(host, asks=False, connect_seconds=_CONNECT_SECONDS)
    script = ssh.run_script(request.COMMAND, request.ON_STANDARD_INPUT)
    data = request.encode(Request(words, completes=True)) + b"\n"
    with connection.log() as log, contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            connection.command(log, script, pty=False),
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        return done.stdout.rpartition(MARK)[2].decode("utf-8", "replace").splitlines()[1:]
    return []
