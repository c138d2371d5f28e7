"""Injection of kernel errors into the calls of a supervisor; see injected/sitecustomize.py."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.sandbox import Sandbox, eventually

_INJECTED = Path(__file__).parent / "injected"


class Injection:
    """A fault in all supervisors that are started with `environment`, from `begin` to `end`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._switch = sandbox.root / "fault"
        self.begin()

    def begin(self) -> None:
        self._switch.touch()

    def environment(self, fault: str) -> dict[str, str]:
        return {
            "PYTHONPATH": str(_INJECTED),
            "HLDCTL_TEST_FAULT": fault,
            "HLDCTL_TEST_FAULT_SWITCH": str(self._switch),
        }

    def wait_until_met(self) -> None:
        """Wait until a call has failed."""
        eventually(self._switch.with_name("fault-met").exists, "the fault to be met")

    def end(self) -> None:
        self._switch.unlink()
