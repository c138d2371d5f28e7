"""All checks of `hldctl doctor`, in the order of their dependencies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from hldctl.contract.finding import Level
from hldctl.doctor import claude_code, database, file_modes, fleet, limits, machine, search, sessions, worktrees
from hldctl.doctor.check import Finding, Findings
from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory


def examine(state: StateDirectory, *, fix: bool) -> Findings:
    """Yield the findings one by one; with `fix`, fix each safe one before the next check."""
    for subject, part in _parts(state):
        for finding in _run_part(subject, part):
            yield _apply_fix(finding) if fix else finding


def _parts(state: StateDirectory) -> Iterator[tuple[str, Callable[[], Findings]]]:
    yield "machine", lambda: machine.examine(state)
    # Nothing is read in a directory that hldctl refuses.
    if machine.is_usable(state):
        yield "files", lambda: file_modes.examine(state)
        yield "database", lambda: database.examine(state)
        yield "search", lambda: search.examine(state)
        yield "sessions", lambda: sessions.examine(state)
        yield "limits", lambda: limits.examine(state)
        yield "worktrees", lambda: worktrees.examine(state)
        yield "fleet", lambda: fleet.examine(state)
    yield "Claude Code", claude_code.examine


def _run_part(subject: str, part: Callable[[], Findings]) -> Findings:
    """Yield a part's findings; if the part fails, yield the error as a finding, so that the other parts follow."""
    try:
        yield from part()
    except Exception as error:
        # The files may be damaged in any way; the other parts are checked nevertheless.
        yield Finding(subject, Level.ERROR, f"could not finish this check: {_describe(error)}")


def _apply_fix(finding: Finding) -> Finding:
    """Run the finding's fix and return the updated finding; if the fix fails, its advice is the reason."""
    if finding.fix is None:
        return finding
    try:
        remark = finding.fix()
    except (HldctlError, OSError) as error:
        return replace(finding, advice=str(error))
    except Exception as error:
        return replace(finding, advice=f"The fix failed: {_describe(error)}")
    return replace(finding, message=f"{finding.message}; {remark}" if remark else finding.message, fixed=True)


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, HldctlError | OSError) else f"{type(error).__name__}: {error}"
