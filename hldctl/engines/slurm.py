"""Slurm, by its commands sbatch, scancel, squeue and scontrol."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from hldctl.engines.engine import EngineFailed, EngineName, Job, JobState, JobStatus
from hldctl.errors import BadUsage
from hldctl.system.processes import shell_exit_code

# A reader does not wait longer: the commands themselves try for a minute.
_READ_SECONDS = 5
_CANCEL_SECONDS = 60
# Their values of the environment have no option that undoes them.
_DROPPED_VARIABLES = ("SBATCH_ARRAY_INX", "SBATCH_CLUSTERS", "SBATCH_WAIT", "SLURM_CLUSTERS")
_REFUSED = {
    "--array": "each session is one job",
    "--clusters": "hldctl asks only the cluster of this machine",
    "--comment": "hldctl finds the job by its own",
    "--help": "it starts nothing",
    "--job-name": "the job has the name of the session",
    "--parsable": "hldctl sets it",
    "--requeue": "a session must not run twice",
    "--test-only": "it starts nothing",
    "--usage": "it starts nothing",
    "--version": "it starts nothing",
    "--wait": "use --wait of hldctl",
    "--wrap": "hldctl writes the script",
}
_SHORT = {
    "-J": "--job-name",
    "-M": "--clusters",
    "-V": "--version",
    "-W": "--wait",
    "-a": "--array",
    "-d": "--dependency",
    "-h": "--help",
}
_FIELDS = ("JobID", "State", "exit_code", "Reason", "NodeList", "Comment")
# Wider than any value; squeue would cut longer ones off.
_FORMAT = ",".join(f"{name}:200|" for name in _FIELDS)
_WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_ENDED = (
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TIMEOUT",
    "OUT_OF_MEMORY",
    "DEADLINE",
    "PREEMPTED",
    "BOOT_FAIL",
    "REVOKED",
)
_UNKNOWN = ("NODE_FAIL",)


class Slurm:
    """The cluster whose commands are on this machine."""

    name = EngineName.SLURM

    def cluster(self) -> str:
        found = re.search(
            r"^ClusterName\s*=\s*(\S+)",
            _run("scontrol", "show", "config", patience_seconds=_READ_SECONDS),
            re.MULTILINE,
        )
        return "" if found is None else found[1]

    def check_options(self, options: Sequence[str], *, is_exclusive: bool) -> None:
        for option in options:
            name = _option_name(option)
            if not name.startswith("-") or name.strip("-") == "":
                raise BadUsage(
                    f"{option!r} is not an option of sbatch; write it as one word, such as --partition=agents."
                )
            if "\0" in option:
                raise BadUsage(f"{option!r} contains a NUL character.")
            if (reason := _REFUSED.get(name)) is not None:
                raise BadUsage(f"{name} of sbatch does not work with --on slurm: {reason}.")
            if is_exclusive and name == "--dependency" and "singleton" not in option:
                raise BadUsage(f"{option} with --name needs singleton, too: one session with a name runs at a time.")

    def submit(self, job: Job) -> str:
        options = ["--parsable", "--no-requeue", "--export=NONE", "--output=/dev/null", "--signal=B:TERM@60"]
        options += [f"--job-name={job.name}", f"--comment={job.comment}"]
        if job.is_exclusive:
            options.append("--dependency=singleton")
        # The number, and maybe the cluster after a semicolon.
        return _run("sbatch", *options, *job.options, input=job.script, patience_seconds=None).strip().partition(";")[0]

    def cancel(self, job: str) -> None:
        try:
            _run("scancel", "--state=PENDING", job, patience_seconds=_CANCEL_SECONDS)
        except EngineFailed as error:
            refusal = error
        else:
            refusal = EngineFailed(f"scancel of Slurm has not cancelled job {job}.")
        status = self.jobs().get(job)
        if status is not None and status.state is JobState.WAITING:
            raise refusal
        if status is not None and status.state is JobState.RUNNING:
            # It may just have ended.
            with contextlib.suppress(EngineFailed):
                # To the script alone, which is hldctl by then.
                options = ("--state=RUNNING", "--batch", "--signal=TERM")
                _run("scancel", *options, job, patience_seconds=_CANCEL_SECONDS)

    def jobs(self) -> dict[str, JobStatus]:
        options = ("--me", "--all", "--noheader", "--states=all", f"--Format={_FORMAT}")
        lines = _run("squeue", *options, patience_seconds=_READ_SECONDS).splitlines()
        found = [_status(line) for line in lines if line.strip()]
        return {status.job: status for status in found}


def is_here() -> bool:
    """Return whether this machine has the commands of Slurm."""
    return shutil.which("squeue") is not None


def _status(line: str) -> JobStatus:
    number, word, exit_code, reason, node, comment = (value.strip() for value in line.split("|", len(_FIELDS) - 1))
    return JobStatus(
        number,
        comment.rstrip("|").rstrip(),
        _state(word),
        word,
        reason if word in _WAITING and reason != "None" else None,
        node or None,
        shell_exit_code(int(exit_code)) if word in _ENDED and exit_code.isdecimal() else None,
    )


def _state(word: str) -> JobState:
    if word in _WAITING:
        return JobState.WAITING
    if word in _ENDED:
        return JobState.ENDED
    return JobState.UNKNOWN if word in _UNKNOWN else JobState.RUNNING


def _option_name(option: str) -> str:
    name = option.partition("=")[0] if option.startswith("--") else option[:2]
    return _SHORT.get(name, name)


def _run(*command: str, input: str = "", patience_seconds: float | None) -> str:
    """Run a command and return its output; raise EngineFailed with its own reason."""
    environment = {name: value for name, value in os.environ.items() if name not in _DROPPED_VARIABLES}
    try:
        done = subprocess.run(
            command,
            input=input.encode(),
            capture_output=True,
            env=environment,
            timeout=patience_seconds,
            check=False,
        )
    except OSError as error:
        raise EngineFailed(f"{command[0]} of Slurm cannot be run: {error.strerror or error}.") from None
    except subprocess.TimeoutExpired:
        raise EngineFailed(f"{command[0]} of Slurm has not answered within {patience_seconds} s.") from None
    if done.returncode:
        raise EngineFailed(f"{command[0]} of Slurm refused: {_reason(done.stderr)}")
    return done.stdout.decode("utf-8", "replace")


def _reason(errors: bytes) -> str:
    """Return what a command of Slurm wrote to standard error, as one sentence."""
    lines = errors.decode("utf-8", "replace").splitlines()
    texts = [re.sub(r"^\w+: (?:error: |fatal: )?", "", line).strip().rstrip(".") for line in lines]
    return "; ".join(filter(None, texts)) + "." if any(texts) else "it gave no reason."
