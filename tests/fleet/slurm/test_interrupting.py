"""Interrupting placed sessions: before they run, and with Slurm's own scancel."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.helpers.postgres import Record
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually
from tests.helpers.slurm import Placing

GATED = 'call Bash {"command": "until [ -e go-on ]; do sleep 0.05; done"}\n\nsay Done.'
TOOLS = ("--allowed-tools", "Bash")
HOLD = ("--engine-option=--hold",)


def job_of(cluster: Placing, session_id: str) -> str:
    job: str = cluster.here.show(session_id)["place"]["job"]
    return job


def launch_running(cluster: Placing) -> str:
    """Launch a session that runs until it is stopped, and wait until its tool runs."""
    cluster.serve_script(GATED)
    session_id = cluster.here.launch("Go", "--on", "slurm", "-q", *TOOLS)
    eventually(lambda: "until" in cluster.here.run("tail", session_id).stdout, "its tool call in the record")
    return session_id


def test_session_that_waits_is_interrupted(cluster: Placing) -> None:
    here = cluster.here
    session_id = here.launch("Go", "--on", "slurm", "-q", *HOLD)
    waiting = here.popen("wait", session_id)
    job = job_of(cluster, session_id)
    done = here.run("interrupt", session_id[:8])
    assert (done.returncode, done.stdout) == (0, f"{session_id} interrupted\n"), done.stderr
    assert cluster.slurm.jobs()[job] == "CANCELLED"
    waiting.communicate(timeout=TIMEOUT_SECONDS)
    assert waiting.returncode == 130
    session = here.show(session_id)
    assert (session["status"], session["end_reason"], session["machine"]) == ("interrupted", "interrupted", None)
    assert here.run("interrupt", session_id).returncode != 0


def test_ctrl_c_interrupts_a_session_that_waits(cluster: Placing) -> None:
    here = cluster.here
    launching = here.popen("launch", "Go", "--on", "slurm", "--wait", "--name", "nightly", *HOLD)
    eventually(lambda: here.run("show", "nightly").returncode == 0, "the session in the record")
    eventually(lambda: here.show("nightly")["place"]["job"], "its job")
    os.kill(launching.pid, signal.SIGINT)
    launching.communicate(timeout=TIMEOUT_SECONDS)
    assert launching.returncode == 130
    assert here.show("nightly")["status"] == "interrupted"
    assert cluster.slurm.jobs()[job_of(cluster, "nightly")] == "CANCELLED"


def test_ctrl_c_leaves_a_session_that_runs(cluster: Placing) -> None:
    cluster.serve_script(GATED)
    here = cluster.here
    launching = here.popen("launch", "Go", "--on", "slurm", "--wait", "--name", "nightly", *TOOLS)
    eventually(lambda: here.run("tail", "nightly").stdout.count("until"), "its tool call in the record")
    os.kill(launching.pid, signal.SIGINT)
    _, notes = launching.communicate(timeout=TIMEOUT_SECONDS)
    assert (launching.returncode, "continues on" in notes) == (130, True), notes
    here.release()
    assert here.run("wait", "nightly").returncode == 0


def test_machine_without_slurm_names_the_job(cluster: Placing, other: Sandbox, record: Record, tmp_path: Path) -> None:
    session_id = cluster.here.launch("Go", "--on", "slurm", "-q", *HOLD)
    other.ok("fleet", "join", record.url)
    other.environment["PATH"] = str(tmp_path)
    done = other.run("interrupt", session_id)
    assert (done.returncode, f"as job {job_of(cluster, session_id)}" in done.stderr) == (5, True), done.stderr
    assert cluster.here.show(session_id)["status"] == "queued"
    # Whether its job is gone, this machine cannot know.
    assert other.show(session_id)["status"] == "queued"
    cluster.here.ok("interrupt", session_id)


def test_signal_to_the_script_interrupts_the_session(cluster: Placing) -> None:
    session_id = launch_running(cluster)
    cluster.slurm.run("scancel", "--batch", "--signal=TERM", job_of(cluster, session_id))
    assert cluster.here.run("wait", session_id).returncode == 130
    session = cluster.here.show(session_id)
    assert (session["status"], session["machine"] is not None) == ("interrupted", True)


def test_plain_scancel_ends_the_session(cluster: Placing) -> None:
    session_id = launch_running(cluster)
    cluster.slurm.run("scancel", job_of(cluster, session_id))
    # Slurm signals hldctl and Claude Code at once, and either may be the first.
    assert cluster.here.run("wait", session_id).returncode in (1, 130)
    session = cluster.here.show(session_id)
    assert (session["status"] in ("failed", "interrupted"), session["end_reason"] != "lost") == (True, True)


def test_job_cancelled_while_it_waits_is_lost(cluster: Placing) -> None:
    session_id = cluster.here.launch("Go", "--on", "slurm", "-q", *HOLD)
    waiting = cluster.here.popen("wait", session_id)
    job = job_of(cluster, session_id)
    cluster.slurm.run("scancel", job)
    _, notes = waiting.communicate(timeout=TIMEOUT_SECONDS)
    assert (waiting.returncode, f"slurm job {job} is gone (CANCELLED)" in notes) == (1, True), notes
    session = cluster.here.show(session_id)
    assert (session["status"], session["end_reason"]) == ("failed", "lost")


def test_session_that_runs_unheard_is_asked_to_end(cluster: Placing) -> None:
    """Its machine has not written it into the record, so nothing but its job is known."""
    for node in cluster.nodes.values():
        node.configure("")
    cluster.serve_script(GATED)
    session_id = cluster.here.launch("Go", "--on", "slurm", "-q", *TOOLS)
    eventually(lambda: cluster.here.show(session_id)["place"]["state"] == "RUNNING", "the job to run")
    eventually(lambda: any(each.files(session_id).directory.exists() for each in cluster.nodes.values()), "the session")
    node = cluster.node_of(session_id)
    node.wait_for_journal(session_id, "until")
    assert cluster.here.show(session_id)["status"] == "queued"
    assert cluster.here.ok("interrupt", session_id) == f"{session_id} interrupted\n"
    assert cluster.here.show(session_id)["status"] == "interrupted"
    assert node.show(session_id)["status"] == "interrupted"
