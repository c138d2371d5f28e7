"""The whole examination, in the order in which one thing rests on another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from hldctl.doctor import claude_code, database, file_modes, machine, sessions
from hldctl.doctor.check import Finding, Findings, Level
from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory


def examine(state: StateDirectory, *, fix: bool) -> Findings:
    """What there is to say, as it is found; with `fix` all is mended that safely can be, one thing before the next."""
    for subject, part in _parts(state):
        for finding in _to_its_end(subject, part):
            yield _fixed(finding) if fix else finding


def _parts(state: StateDirectory) -> Iterator[tuple[str, Callable[[], Findings]]]:
    yield "machine", lambda: machine.examine(state)
    # Of a directory that is refused nothing is read.
    if machine.is_usable(state):
        yield "files", lambda: file_modes.examine(state)
        yield "database", lambda: database.examine(state)
        yield "sessions", lambda: sessions.examine(state)
    yield "Claude Code", claude_code.examine


def _to_its_end(subject: str, part: Callable[[], Findings]) -> Findings:
    """What a part finds; what keeps it from looking further is a finding, and the other parts follow."""
    try:
        yield from part()
    except Exception as error:
        # What is looked at may be damaged in any way; the other parts are examined all the same.
        yield Finding(subject, Level.ERROR, f"could not be examined to the end: {_described(error)}")


def _fixed(finding: Finding) -> Finding:
    """Carry out the fix that goes with the finding; if that fails, the reason is the advice."""
    if finding.fix is None:
        return finding
    try:
        said = finding.fix()
    except (HldctlError, OSError) as error:
        return replace(finding, advice=str(error))
    except Exception as error:
        return replace(finding, advice=f"The fix failed: {_described(error)}")
    return replace(finding, message=f"{finding.message}; {said}" if said else finding.message, fixed=True)


def _described(error: Exception) -> str:
    return str(error) if isinstance(error, HldctlError | OSError) else f"{type(error).__name__}: {error}"
