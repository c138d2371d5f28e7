"""Checks of Claude Code: installed, recent enough and logged in, here and under cron."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from hldctl.claude import binary
from hldctl.claude.binary import OLDEST_WITH_APPROVALS, read_login_method, read_version
from hldctl.contract.finding import Level
from hldctl.doctor.check import Finding, Findings, ok_finding
from hldctl.errors import HldctlError

_CRON_PATH = "/usr/bin:/bin"


def examine() -> Findings:
    try:
        claude = binary.find_binary()
    except HldctlError as error:
        yield Finding("Claude Code", Level.ERROR, str(error))
        return
    yield _check_version(claude)
    method = read_login_method(claude, os.environ)
    yield _check_login(claude, method)
    yield _check_cron_path(claude)
    if method not in (None, "none"):
        yield _check_cron_login(claude, method)


def _check_version(claude: Path) -> Finding:
    installed = read_version(claude)
    if installed is None:
        return Finding(
            "Claude Code", Level.ERROR, f"{claude} does not print its version", "Run it to see why, and fix that."
        )
    name = ".".join(map(str, installed))
    if installed >= OLDEST_WITH_APPROVALS:
        return ok_finding("Claude Code", f"{name}, {claude}")
    oldest = ".".join(map(str, OLDEST_WITH_APPROVALS))
    return Finding(
        "Claude Code",
        Level.WARNING,
        f"{name}, {claude}, is too old to ask for permission through hldctl, which needs {oldest} or newer",
        f"Upgrade it: `{claude} update`.",
    )


def _check_login(claude: Path, method: str | None) -> Finding:
    if method is None:
        return Finding(
            "login", Level.NOTE, "cannot find out whether Claude Code is logged in", "Try `hldctl launch --wait`."
        )
    if method != "none":
        return ok_finding("login", f"by {method}")
    return Finding(
        "login",
        Level.ERROR,
        "Claude Code is not logged in",
        f"Run `{claude} auth login`, or set ANTHROPIC_API_KEY.",
    )


def _check_cron_path(claude: Path) -> Finding:
    advice = []
    try:
        claude_under_cron = binary.find_binary(_cron_environment())
    except HldctlError:
        claude_under_cron = None
    if claude_under_cron != claude:
        advice.append(f"HLDCTL_CLAUDE={claude}")
    hldctl_path = Path(sys.argv[0]).absolute()
    if shutil.which("hldctl", path=_CRON_PATH) is None:
        advice.append(f"the full path of hldctl, {hldctl_path}")
    if not advice:
        return ok_finding("PATH under cron", "finds hldctl and Claude Code")
    return Finding(
        "PATH under cron",
        Level.NOTE,
        f"cron only searches {_CRON_PATH}",
        f"In a crontab, use {' and '.join(advice)}.",
    )


def _check_cron_login(claude: Path, method: str | None) -> Finding:
    cron_method = read_login_method(claude, _cron_environment())
    if cron_method not in (None, "none"):
        return ok_finding("login under cron", f"by {cron_method}")
    return Finding(
        "login under cron",
        Level.WARNING,
        f"Claude Code is logged in by {method}, which is not available under cron",
        f"Log in with `{claude} auth login`, or set the variables with the key in the crontab.",
    )


def _cron_environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name in ("HOME", "LOGNAME", "USER")}
    return {**environment, "PATH": _CRON_PATH, "SHELL": "/bin/sh"}
