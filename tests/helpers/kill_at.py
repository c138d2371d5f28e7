"""Killing a supervisor at a given step of its work."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.sandbox import Sandbox

INJECTED_DIRECTORY = Path(__file__).parents[1] / "crash" / "injected"


def crash_at(sandbox: Sandbox, step: str) -> None:
    """Let the first supervisor that reaches a step, such as `delete:call`, be killed there."""
    sandbox.environment |= {
        "PYTHONPATH": str(INJECTED_DIRECTORY),
        "HLDCTL_TEST_KILL_AT": step,
        "HLDCTL_TEST_KILL_MARKER": str(sandbox.root / "killed"),
    }
