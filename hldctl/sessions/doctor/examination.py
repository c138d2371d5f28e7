"""The whole examination, in the order in which one thing rests on another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from hldctl.errors import HldctlError
from hldctl.host.paths import StateDirectory
from hldctl.sessions.doctor import claude_code, database, machine, privacy, sessions
from hldctl.sessions.doctor.finding import Finding, Findings, Level


def examine(state: StateDirectory, *, fix: bool) -> Findings:
    """What there is to say, as it is found; with `fix` all is mended that safely can be, one thing before the next."""
    for part in _parts(state):
        try:
            for finding in part():
                yield _fixed(finding) if fix else finding
        except Exception as error:
            # What is looked at may be damaged in any way; the other parts are examined all the same.
            yield Finding("examination", Level.ERROR, f"a part of it failed: {_described(error)}")


def _parts(state: StateDirectory) -> Iterator[Callable[[], Findings]]:
    yield lambda: machine.examine(state)
    if state.root.is_dir():
        yield lambda: privacy.examine(state)
        yield lambda: database.examine(state)
        yield lambda: sessions.examine(state)
    yield claude_code.examine


def _fixed(finding: Finding) -> Finding:
    """Carry out the fix that goes with the finding; if that fails, the reason is the advice."""
    if finding.mend is None:
        return finding
    try:
        said = finding.mend()
    except (HldctlError, OSError) as error:
        return replace(finding, advice=str(error))
    except Exception as error:
        return replace(finding, advice=f"The fix failed: {_described(error)}")
    return replace(finding, message=f"{finding.message}; {said}" if said else finding.message, mended=True)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
