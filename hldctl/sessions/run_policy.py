"""Under which terms a session runs unattended, from what was said, configured and inherited."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hldctl.config import schema
from hldctl.config.schema import Configuration
from hldctl.errors import BadUsage
from hldctl.protocol.launch_request import Terms
from hldctl.sessions.options import SessionOptions
from hldctl.store.session import Session


def of_new_session(options: SessionOptions, configured: Configuration) -> Terms:
    return _with_options(Terms(on_end=configured.on_end), options, configured)


def of_continuation(options: SessionOptions, parent: Session, configured: Configuration) -> Terms:
    """The parent's, but for what is said anew."""
    inherited = Terms(
        timeout_ms=parent.timeout_ms,
        idle_timeout_ms=parent.idle_timeout_ms,
        group_name=parent.group_name,
        retries=parent.retries,
        wait_for_reset=parent.wait_for_reset,
        fail_on_denial=parent.fail_on_denial,
        on_end=parent.on_end,
    )
    return _with_options(inherited, options, configured)


def _with_options(base: Terms, options: SessionOptions, configured: Configuration) -> Terms:
    said: dict[str, Any] = {
        "timeout_ms": None if options.timeout is None else int(options.timeout * 1000),
        "idle_timeout_ms": None if options.idle_timeout is None else int(options.idle_timeout * 1000),
        "group_name": options.group,
        "retries": options.retries,
        "wait_for_reset": options.wait_for_reset,
        "fail_on_denial": options.fail_on_denial,
        "on_end": options.on_end,
    }
    terms = replace(base, **{name: value for name, value in said.items() if value is not None})
    if options.group is not None and options.group not in configured.groups:
        raise BadUsage(
            f"There is no group {options.group!r}; {schema.path()} says how many sessions each may run: "
            f"[groups] and a line such as {options.group} = 2."
        )
    if terms.on_end is not None and not terms.on_end.strip():
        # What is configured, or inherited, is not wanted.
        return replace(terms, on_end=None)
    return terms
