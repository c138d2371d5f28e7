"""The whole examination, in the order in which one thing rests on another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from hldctl.errors import HldctlError
from hldctl.host.paths import StateDirectory
from hldctl.sessions.doctor import claude_code, database, machine, privacy, sessions
from hldctl.sessions.doctor.finding import Finding, Findings


def examine(state: StateDirectory, *, fix: bool) -> Findings:
    """What there is to say, as it is found; with `fix` all is mended that safely can be, one thing before the next."""
    for part in _parts(state):
        for finding in part():
            yield _mended(finding) if fix else finding


def _parts(state: StateDirectory) -> Iterator[Callable[[], Findings]]:
    yield lambda: machine.examine(state)
    if state.root.is_dir():
        yield lambda: privacy.examine(state)
        yield lambda: database.examine(state)
        yield lambda: sessions.examine(state)
    yield claude_code.examine


def _mended(finding: Finding) -> Finding:
    if finding.mend is None:
        return finding
    try:
        finding.mend()
    except (HldctlError, OSError) as error:
        return replace(finding, advice=str(error))
    return replace(finding, mended=True)
