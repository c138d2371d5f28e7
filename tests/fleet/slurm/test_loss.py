"""Jobs that are gone, and nodes that are cut off: nothing is said that is not known."""

from __future__ import annotations

import json
import signal

from tests.helpers.postgres import Record
from tests.helpers.sandbox import eventually
from tests.helpers.slurm import NODES, Placing

GATED = 'call Bash {"command": "until [ -e go-on ]; do sleep 0.05; done"}\n\nsay Done.'
TOOLS = ("--allowed-tools", "Bash")


def test_job_that_cannot_start_the_session_is_lost_with_its_exit_code(cluster: Placing) -> None:
    for node, sandbox in cluster.nodes.items():
        cluster.slurm.set_environment(node, {**sandbox.environment, "PATH": "/usr/bin:/bin"})
    session_id = cluster.here.launch("Go", "--on", "slurm", "-q")
    done = cluster.here.run("wait", session_id)
    assert (done.returncode, "(FAILED, exit code 127)" in done.stderr) == (1, True), done.stderr
    (listed,) = json.loads(cluster.here.ok("ls", "--fleet", "--json"))
    assert (listed["status"], listed["end_reason"]) == ("failed", "lost")


def test_session_whose_job_slurm_does_not_know_is_lost(cluster: Placing, record: Record) -> None:
    held = cluster.here.launch("Go", "--on", "slurm", "-q", "--engine-option=--hold")
    session_id = cluster.here.launch("Go", "--on", "slurm", "-q", "--engine-option=--hold")
    record.rows(
        'UPDATE hldctl.sessions SET place = replace(place::text, \'"job": "\', \'"job": "9\')::json WHERE id = %s',
        session_id,
    )
    assert "lost" in cluster.here.ok("ls", "--fleet", "--format", "{id} {end_reason}")
    assert cluster.here.show(session_id)["status"] == "failed"
    assert cluster.here.show(held)["status"] == "queued"


def test_word_of_a_session_counts_after_it_was_declared_lost(cluster: Placing, record: Record) -> None:
    cluster.serve_script("say Done.")
    session_id = cluster.here.launch("Go", "--on", "slurm", "-q", "--engine-option=--hold")
    (job,) = cluster.jobs()
    record.rows(
        'UPDATE hldctl.sessions SET place = (place::jsonb || \'{"job": "999999"}\')::json WHERE id = %s', session_id
    )
    assert cluster.here.show(session_id)["end_reason"] == "lost"
    cluster.slurm.run("scontrol", "release", job)
    eventually(lambda: cluster.here.show(session_id)["status"] == "completed", "its own word")
    assert cluster.here.run("wait", session_id, "--results").stdout == "Done.\n"


def test_session_without_a_number_is_found_by_its_comment(cluster: Placing, record: Record) -> None:
    """The command that submitted the job was killed before it could record the number."""
    session_id = cluster.here.launch("Go", "--on", "slurm", "-q", "--engine-option=--hold")
    (job,) = [job for job, state in cluster.jobs().items() if state == "PENDING"]
    record.rows("UPDATE hldctl.sessions SET place = (place::jsonb - 'job')::json WHERE id = %s", session_id)
    cluster.here.show(session_id)
    assert cluster.here.show(session_id)["place"]["job"] == job


def test_other_cluster_and_other_user_are_left_alone(cluster: Placing, record: Record) -> None:
    for member in ("cluster", "user"):
        session_id = cluster.here.launch("Go", "--on", "slurm", "-q", "--engine-option=--hold")
        record.rows(
            "UPDATE hldctl.sessions SET place = (place::jsonb || %s::jsonb)::json WHERE id = %s",
            json.dumps({member: "another", "job": "999999"}),
            session_id,
        )
        assert cluster.here.show(session_id)["status"] == "queued"
        assert cluster.here.run("interrupt", session_id).returncode == 5


def test_session_on_a_node_that_is_cut_off_is_not_guessed_failed(cluster: Placing, record: Record) -> None:
    cluster.serve_script(GATED)
    here = cluster.here
    session_id = here.launch("Go", "--on", "slurm", "-q", *TOOLS)
    eventually(lambda: here.show(session_id)["status"] == "running", "the session to run")
    node = here.show(session_id)["place"]["node"]
    assert node in NODES
    # Its slurmd does not answer, so Slurm cannot end the job there.
    cluster.slurm.daemons[node].send_signal(signal.SIGSTOP)
    cluster.slurm.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    try:
        assert here.show(session_id)["place"]["state"] == "NODE_FAIL"
        assert here.show(session_id)["status"] == "running"
        assert "(node_fail" in here.ok("show", session_id)
        here.release()
        assert here.run("wait", session_id, "--results").stdout == "Done.\n"
    finally:
        cluster.slurm.daemons[node].send_signal(signal.SIGCONT)
        cluster.slurm.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
        eventually(cluster.slurm.is_ready, "the node to be idle again")


def test_controller_that_does_not_answer_decides_nothing(cluster: Placing) -> None:
    session_id = cluster.here.launch("Go", "--on", "slurm", "-q", "--engine-option=--hold")
    cluster.slurm.daemons["slurmctld"].send_signal(signal.SIGSTOP)
    try:
        session = cluster.here.show(session_id)
        assert (session["status"], session["place"]["state"]) == ("queued", None)
        done = cluster.here.run("interrupt", session_id)
        assert (done.returncode, "has not answered within 5 s" in done.stderr) == (5, True), done.stderr
    finally:
        cluster.slurm.daemons["slurmctld"].send_signal(signal.SIGCONT)
    assert cluster.here.show(session_id)["place"]["state"] == "PENDING"
