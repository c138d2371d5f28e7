"""Checks of this machine's part in a fleet: its link, its configuration, and what the record says."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from hldctl.config import schema
from hldctl.config.fleet import FleetSettings
from hldctl.contract.finding import Level
from hldctl.doctor.check import Finding, Findings, ok_finding
from hldctl.errors import BadUsage, HldctlError, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.protocol import link
from hldctl.store.database import open_for_reading

if TYPE_CHECKING:
    from hldctl.fleet.inspection import Inspection

_SUBJECT = "fleet"
# Of two clocks; people notice a larger one.
_MAX_OFFSET_MS = 5000
_INDEPENDENT = "Sessions do not depend on it; the link sends what is missing once that is solved."


def examine(state: StateDirectory) -> Findings:
    if not state.fleet.has_joined:
        return
    try:
        settings = schema.load().fleet
    except BadUsage as error:
        yield _warning(str(error).rstrip("."), "Fix it with `hldctl config edit`.")
        return
    yield from _link(state)
    if settings is None:
        yield _warning(f"{schema.path()} has no table `fleet`", "Run `hldctl fleet join URL`, or `hldctl fleet leave`.")
        return
    yield from _signatures(settings)
    yield from _record(state, settings)


def _warning(message: str, advice: str) -> Finding:
    return Finding(_SUBJECT, Level.WARNING, message, advice)


def _link(state: StateDirectory) -> Findings:
    try:
        with open_for_reading(state):
            late = link.count_late(state)
            link.start_if_late(state)
    except HldctlError:
        # The database has a finding of its own.
        return
    waiting = f"; {late} changes are not in the record yet" if late else ""
    try:
        problem = state.fleet.problem.read_text().strip()
    except OSError:
        yield ok_finding(_SUBJECT, f"this machine has joined one{waiting}")
    else:
        yield _warning(f"{problem.rstrip('.')}{waiting}", _INDEPENDENT)


def _signatures(settings: FleetSettings) -> Findings:
    """Yield what keeps intents from being signed, or signatures from being trusted."""
    if settings.signers is not None and (fault := _fault_of_signers(settings.signers)) is not None:
        yield _warning(
            f"fleet.signers: {fault}", "Without a file that it can trust, this machine refuses all requests."
        )
    if settings.signing_key is not None and not os.access(settings.signing_key, os.R_OK):
        yield _warning(
            f"fleet.signing_key: {settings.signing_key} cannot be read", "Correct it with `hldctl config set`."
        )
    if (settings.signers or settings.signing_key) and shutil.which("ssh-keygen") is None:
        yield _warning("ssh-keygen is missing, which signs and verifies requests", "Install the OpenSSH client.")


def _fault_of_signers(file: Path) -> str | None:
    """Return why the file of allowed signers cannot be trusted; None if it can."""
    try:
        status = file.stat()
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode) or not os.access(file, os.R_OK):
        return f"{file} is not a file that can be read"
    if status.st_uid not in (os.geteuid(), 0):
        return f"{file} belongs to another user, who could let others sign"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{file} can be written by others, who could let themselves sign; run chmod go-w"
    return None


def _record(state: StateDirectory, settings: FleetSettings) -> Findings:
    try:
        # Imported here: it loads the driver.
        from hldctl.fleet.inspection import inspect

        found = inspect(settings, link.known_machine_id(state) or "")
    except (UnfitEnvironment, BadUsage) as error:
        yield _warning(str(error).rstrip("."), _INDEPENDENT)
        return
    faults = [*_transport(found), *_machine(found), *_roles(found, settings)]
    yield from faults
    if not faults:
        how = "by a socket of this machine" if found.is_local else "encrypted, and its name is verified"
        yield ok_finding(_SUBJECT, f"the record answers {found.role}, {how}")


def _transport(found: Inspection) -> Findings:
    if not found.is_local and not found.is_encrypted:
        yield _warning(
            "the connection to the record is not encrypted",
            "Remove sslmode from fleet.url, and let the server use TLS.",
        )
    elif not found.is_verified:
        yield _warning(
            f"sslmode is {found.sslmode}, so the server of the record does not have to prove its name",
            "Remove sslmode from fleet.url; verify-full is the default.",
        )


def _machine(found: Inspection) -> Findings:
    if found.owns_machine is False:
        yield _warning(
            f"the record has this machine as one of another role than {found.role}",
            "Connect as that role, or join as a new machine with `hldctl fleet join --new-identity`.",
        )
    if abs(found.clock_offset_ms) > _MAX_OFFSET_MS:
        direction = "slow" if found.clock_offset_ms > 0 else "fast"
        yield _warning(
            f"the clock of this machine is {abs(found.clock_offset_ms) // 1000} s {direction}, by the record's server",
            "Others see wrong ages of its sessions; let NTP set the clock.",
        )


def _roles(found: Inspection, settings: FleetSettings) -> Findings:
    if found.missing_roles:
        yield _warning(
            f"the server has no role {', '.join(found.missing_roles)}, which the configuration names",
            "Correct fleet.team or fleet.accept_from, or let an administrator make the role.",
        )
    elif not found.is_in_team:
        yield _warning(
            f"{found.role} is not a member of the team {settings.team}, so the team does not see what is here",
            f"Let an administrator run GRANT {settings.team} TO {found.role}, or correct fleet.team.",
        )
