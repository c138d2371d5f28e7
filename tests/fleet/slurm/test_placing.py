"""`launch --on slurm` with a real Slurm: sessions run on its nodes, and are followed from another machine."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from tests.fleet.comparison import differences
from tests.helpers.git_repository import Repository
from tests.helpers.postgres import Record
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually
from tests.helpers.slurm import NODES, Placing

GATED = 'call Bash {"command": "until [ -e go-on ]; do sleep 0.05; done"}\n\nsay Done.'
TOOLS = ("--allowed-tools", "Bash")


def test_placed_session_is_followed_from_the_machine_that_launched_it(cluster: Placing, record: Record) -> None:
    cluster.serve_script(GATED)
    here = cluster.here
    launched = here.run("launch", "Go", "--on", "slurm", "--title", "First", *TOOLS)
    session_id = launched.stdout.strip()
    (job,) = cluster.jobs()
    assert launched.stderr == f"hldctl: queued: slurm has it as job {job}\n"
    follower = here.popen("tail", "-f", "--exit-status", session_id)
    waiting = here.popen("wait", session_id, "--results")
    eventually(lambda: here.show(session_id)["status"] == "running", "the session to run")
    shown = here.show(session_id)
    assert (shown["title"], shown["query"], shown["machine"] is not None) == ("First", "Go", True)
    assert {name: shown["place"][name] for name in ("engine", "job", "state")} == {
        "engine": "slurm",
        "job": job,
        "state": "RUNNING",
    }
    assert shown["place"]["node"] in NODES
    here.release()
    assert waiting.communicate(timeout=TIMEOUT_SECONDS) == ("Done.\n", "")
    assert "Done." in follower.communicate(timeout=TIMEOUT_SECONDS)[0]
    assert (waiting.returncode, follower.returncode) == (0, 0)
    node = cluster.node_of(session_id)
    assert node.show(session_id)["working_dir"] == str(here.work)
    assert differences(record, node) == []
    assert json.loads(here.ok("ls", "--json")) == []


def test_launch_waits_for_a_placed_session_and_prints_its_result(cluster: Placing) -> None:
    cluster.serve_script("say Done.")
    here = cluster.here
    assert here.ok("launch", "Go", "--on", "slurm", "--wait", "-q") == "Done.\n"
    done = here.run("launch", "Go", "--on", "slurm", "--follow")
    assert (done.returncode, "Done." in done.stdout) == (0, True), done.stderr
    # With the environment of a login, as without any configuration.
    printed = here.ok("launch", "Go", "--on", "slurm", "--wait", "--json", "--engine-option=--export=NONE")
    assert json.loads(printed)["result_content"] == "Done."


def test_many_sessions_run_on_both_nodes_and_are_equal_in_the_record(cluster: Placing, record: Record) -> None:
    cluster.serve_script("say Done.")
    launches = [cluster.here.popen("launch", f"Go {number}", "--on", "slurm", "-q") for number in range(24)]
    ids = [each.communicate(timeout=TIMEOUT_SECONDS)[0].strip() for each in launches]
    assert {each.returncode for each in launches} == {0}
    done = cluster.here.run("wait", *ids, "--json")
    assert [session["status"] for session in json.loads(done.stdout)] == ["completed"] * 24
    eventually(lambda: {*cluster.jobs().values()} == {"COMPLETED"}, "all jobs to end")
    assert differences(record, *cluster.nodes.values()) == []
    counts = [len(json.loads(node.ok("ls", "--json"))) for node in cluster.nodes.values()]
    assert sum(counts) == 24
    assert min(counts) > 0
    assert record.rows("SELECT count(*) FROM hldctl.sessions WHERE machine_id IS NULL OR status <> 'completed'") == [
        (0,)
    ]


def test_options_query_and_arguments_travel(cluster: Placing, tmp_path: Path) -> None:
    query = 'it\'s $HOME `id` "x"\r\nEND\nEOF\n#SBATCH --partition=none\n\x1b[1mbold grüße 🙂'
    Repository(cluster.here)
    script = tmp_path / "script"
    script.write_text("say Rehearsed.\r\n")
    given = {"--title": "it's $(id)", "--append-system-prompt": "one\r\ntwo 'three'", "--max-turns": "7"}
    options = [word for name, value in given.items() for word in (name, value)]
    session_id = cluster.here.launch(
        *("-", "--on", "slurm", "-q", "-C", ".", "--rehearse", str(script), "--approvals", *options),
        *("--worktree", "side", "--", "--verbose"),
        input=query,
    )
    done = cluster.here.run("wait", session_id, "--results")
    assert (done.returncode, done.stdout) == (0, "Rehearsed.\n"), done.stderr
    session = cluster.node_of(session_id).show(session_id)
    assert (session["query"], session["worktree"]["branch"]) == (query, "hldctl/side")
    assert cluster.here.show(session_id)["query"] == query
    assert [session[name] for name in ("title", "append_system_prompt", "max_turns")] == [
        *("it's $(id)", "one\r\ntwo 'three'", 7)
    ]


def test_long_query_travels(cluster: Placing) -> None:
    cluster.serve_script("say Done.")
    query = "line\n" * 200_000
    session_id = cluster.here.launch("-", "--on", "slurm", "-q", input=query)
    assert cluster.here.run("wait", session_id).returncode == 0
    assert cluster.node_of(session_id).show(session_id)["query"] == query


def test_one_session_with_a_name_runs_in_the_cluster(cluster: Placing, record: Record) -> None:
    cluster.serve_script(GATED)
    here = cluster.here
    first, second = (here.launch("Go", "--on", "slurm", "-q", "--name", "nightly", *TOOLS) for _ in range(2))
    eventually(lambda: here.show(first)["status"] == "running", "the first to run")
    # A name means the session that runs.
    record.rows("UPDATE hldctl.sessions SET created_at = created_at + 3600000 WHERE id = %s", second)
    eventually(lambda: here.show(second)["place"]["reason"] == "Dependency", "the second to wait for it")
    assert here.show("nightly")["id"] == first
    assert "(pending: Dependency)" in here.ok("ls", "--fleet")
    here.release()
    done = here.run("wait", first, second, "--json")
    assert [session["status"] for session in json.loads(done.stdout)] == ["completed"] * 2


def test_repeated_launch_submits_no_second_job(cluster: Placing) -> None:
    cluster.serve_script("say Done.")
    chosen = str(uuid.uuid4())
    for _ in range(2):
        assert cluster.here.launch("Go", "--on", "slurm", "-q", "--as", chosen) == chosen
    assert len(cluster.jobs()) == 1
    assert cluster.here.run("wait", chosen).returncode == 0


def test_refused_job_leaves_nothing(cluster: Placing, record: Record) -> None:
    done = cluster.here.run("launch", "Go", "--on", "slurm", "--engine-option=--partition=none")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == (
        "hldctl: sbatch of Slurm refused: invalid partition specified: none; "
        "Batch job submission failed: Invalid partition name specified.\n"
    )
    assert record.rows("SELECT id FROM hldctl.sessions") == []
    assert cluster.jobs() == {}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--env", "NAME=VALUE"], "--env does not work"),
        (["--env", "HOME"], "--env does not work"),
        (["--settings", '{"a": 1}'], "JSON in --settings"),
        (["--mcp-config", ' {"mcpServers": {}}'], "JSON in --mcp-config"),
        (["--after", "last"], "--after does not work"),
        (["--after-any=last"], "--after-any does not work"),
        (["--private"], "--private does not work"),
        (["--name", "a", "--if-running", "skip"], "--if-running skip"),
        (["--name", "no name"], "not a valid name"),
        (["--rehearse", "missing"], "cannot be read"),
        (["--base", "main"], "add --worktree"),
        (["--engine-option=--array=1-3"], "--array of sbatch"),
        (["--engine-option=-W"], "--wait of sbatch"),
        (["--engine-option=-Mother"], "--clusters of sbatch"),
        (["--engine-option", "--comment=mine"], "--comment of sbatch"),
        (["--engine-option=job.sh"], "not an option of sbatch"),
        (["--name", "a", "--engine-option=--dependency=afterok:1"], "needs singleton"),
        (["--", "--output-format", "text"], "after -- cannot be used"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_what_cannot_travel_is_refused(options: list[str], reason: str, sandbox: Sandbox) -> None:
    """Before the record or Slurm is asked, which this machine does not have."""
    done = sandbox.run("launch", "--on", "slurm", "Go", *options)
    assert (done.returncode, done.stdout, reason in done.stderr) == (2, "", True), done.stderr


def test_nul_in_a_query_is_refused(cluster: Placing, record: Record) -> None:
    done = cluster.here.run("launch", "--on", "slurm", "-", input="a\0b")
    assert (done.returncode, "NUL" in done.stderr) == (2, True)
    assert record.rows("SELECT id FROM hldctl.sessions") == []


def test_session_without_right_cannot_place_another(cluster: Placing, record: Record) -> None:
    environment = {"HLDCTL_SESSION_ID": str(uuid.uuid4())}
    done = cluster.here.run("launch", "--on", "slurm", "Go", environment=environment)
    assert (done.returncode, "from within session" in done.stderr) == (4, True), done.stderr
    assert record.rows("SELECT id FROM hldctl.sessions") == []


def test_machine_that_shares_no_texts_places_without_them(cluster: Placing, record: Record) -> None:
    cluster.here.ok("config", "set", "fleet.share", "outline")
    session_id = cluster.here.launch("Secret words", "--on", "slurm", "-q", "--engine-option=--hold")
    ((row,),) = record.rows("SELECT row_to_json(s)::text FROM hldctl.sessions s WHERE id = %s", session_id)
    assert "Secret" not in row
    cluster.here.ok("interrupt", session_id)
    keys = json.loads(cluster.here.ok("stats", "--fleet", "--by", "machine", "--json"))
    assert [each["key"] for each in keys] == ["no machine yet"]


def test_placing_needs_a_fleet(sandbox: Sandbox) -> None:
    done = sandbox.run("launch", "--on", "slurm", "Go")
    assert (done.returncode, "needs a fleet" in done.stderr) == (5, True)
    assert sandbox.run("launch", "Go", "--engine-option=--hold").returncode == 2
    assert sandbox.run("launch", "Go", "--on", "other").returncode == 2
