"""`launch --on slurm` with a real Slurm: sessions run on its nodes, and are followed from another machine."""

from __future__ import annotations

import json

from tests.helpers.slurm import Placing


def test_placed_session_runs_on_a_node(cluster: Placing) -> None:
    cluster.serve_script("say Done.")
    session_id = cluster.here.launch("Go", "--on", "slurm", "--title", "First")
    done = cluster.here.run("wait", session_id, "--results")
    assert (done.returncode, done.stdout) == (0, "Done.\n"), done.stderr
    session = cluster.here.show(session_id)
    assert (session["title"], session["query"], session["place"]["engine"]) == ("First", "Go", "slurm")
    there = cluster.node_of(session_id).show(session_id)
    assert there["working_dir"] == str(cluster.here.work)
    assert json.loads(cluster.here.ok("ls", "--json")) == []
