"""What hldctl needs of an engine: to submit a job, to cancel it, and to say what has become of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hldctl.errors import UnfitEnvironment


class EngineName(StrEnum):
    SLURM = "slurm"


class EngineFailed(UnfitEnvironment):
    """An engine that refused something, or that cannot be reached."""


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"
    """Its node does not answer, so the job may still run."""


@dataclass(frozen=True)
class Job:
    """A job to be submitted."""

    name: str
    comment: str
    """Identifies it among the engine's jobs."""
    script: str
    """For bash."""
    is_exclusive: bool
    """True if it has to wait until the user's other jobs of this name have ended."""
    options: Sequence[str]
    """The engine's own options; they take precedence."""


@dataclass(frozen=True)
class JobStatus:
    """What an engine says of a job."""

    job: str
    comment: str
    state: JobState
    word: str
    """The engine's own word for the state."""
    reason: str | None = None
    """Why it waits, in the engine's word."""
    node: str | None = None
    exit_code: int | None = None


class Engine(Protocol):
    """An engine. Its methods raise EngineFailed with its own reason."""

    name: EngineName

    def cluster(self) -> str:
        """Return the name of the cluster that this machine belongs to."""

    def check_options(self, options: Sequence[str], *, is_exclusive: bool) -> None:
        """Raise BadUsage for an option that does not work with a session, or with an exclusive job."""

    def submit(self, job: Job) -> str:
        """Submit a job and return its number."""

    def cancel(self, job: str) -> None:
        """Remove a job that waits; of one that runs, ask the session to end. Does nothing if the job is gone."""

    def jobs(self) -> Mapping[str, JobStatus]:
        """Return this user's jobs that wait, run, or have ended lately, by number."""
