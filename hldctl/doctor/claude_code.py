"""Whether Claude Code is there, new enough, and logged in: here, and as cron sees it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from hldctl.claude import binary
from hldctl.claude.binary import OLDEST_WITH_APPROVALS, login, version
from hldctl.doctor.check import Finding, Findings, Level, fine
from hldctl.errors import HldctlError

_CRONS_PATH = "/usr/bin:/bin"


def examine() -> Findings:
    try:
        found = binary.find()
    except HldctlError as error:
        yield Finding("Claude Code", Level.ERROR, str(error))
        return
    yield _version(found)
    method = login(found, os.environ)
    yield _login(found, method)
    yield _path_of_cron(found)
    if method not in (None, "none"):
        yield _login_under_cron(found, method)


def _version(found: Path) -> Finding:
    told = version(found)
    if told is None:
        return Finding(
            "Claude Code", Level.ERROR, f"{found} does not tell its version", "See what running it says, and mend that."
        )
    name = ".".join(map(str, told))
    if told >= OLDEST_WITH_APPROVALS:
        return fine("Claude Code", f"{name}, {found}")
    oldest = ".".join(map(str, OLDEST_WITH_APPROVALS))
    return Finding(
        "Claude Code",
        Level.WARNING,
        f"{name}, {found}, cannot ask for permission when nobody looks on; {oldest} can",
        f"Upgrade it: {found} update.",
    )


def _login(found: Path, method: str | None) -> Finding:
    if method is None:
        return Finding(
            "login", Level.NOTE, "Claude Code does not tell whether anybody is logged in", "Try `hldctl launch --wait`."
        )
    if method != "none":
        return fine("login", f"by {method}")
    return Finding(
        "login",
        Level.ERROR,
        "nobody is logged in to Claude Code",
        f"Run `{found} auth login`, or set ANTHROPIC_API_KEY.",
    )


def _path_of_cron(found: Path) -> Finding:
    lines = []
    try:
        unaided = binary.find(_as_under_cron())
    except HldctlError:
        unaided = None
    if unaided != found:
        lines.append(f"HLDCTL_CLAUDE={found}")
    own = Path(sys.argv[0]).absolute()
    if shutil.which("hldctl", path=_CRONS_PATH) is None:
        lines.append(f"hldctl by its whole path, {own}")
    if not lines:
        return fine("PATH under cron", "leads to hldctl and Claude Code")
    return Finding(
        "PATH under cron",
        Level.NOTE,
        f"cron looks in {_CRONS_PATH} alone",
        f"Write in a crontab: {'; '.join(lines)}.",
    )


def _login_under_cron(found: Path, here: str | None) -> Finding:
    there = login(found, _as_under_cron())
    if there not in (None, "none"):
        return fine("login under cron", f"by {there}")
    return Finding(
        "login under cron",
        Level.WARNING,
        f"Claude Code is logged in here by {here}, which cron does not have",
        f"Log in with `{found} auth login`, or set the variables that hold the key in the crontab.",
    )


def _as_under_cron() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LOGNAME", "USER")}
    return {**kept, "PATH": _CRONS_PATH, "SHELL": "/bin/sh"}
