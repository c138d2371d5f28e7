"""Sessions launched by the genuine cron daemon: with next to no environment, and no terminal."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.helpers.cron import Cron
from tests.helpers.doc_blocks import block
from tests.helpers.sandbox import Sandbox, eventually

HLDCTL = shlex.quote(str(Path(sys.executable).with_name("hldctl")))
SCRIPT = """
say Updated.

[greet]
say Grüß Gott.

[outlive]
call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done; xargs -0n1 </proc/$PPID/environ"}
call Bash {"command": "if (: </dev/tty) 2>/dev/null; then echo a terminal; else echo no terminal; fi"}

say Finished.
"""


def test_cron_launches_sessions_that_outlive_it(sandbox: Sandbox) -> None:
    """One test of both ways to launch: cron begins its jobs at full minutes only."""
    sandbox.play(SCRIPT)
    # Nobody sets these in a crontab.
    variables = {name: value for name, value in sandbox.environment.items() if name not in ("LANG", "PATH", "TERM")}
    (sandbox.home / "project").mkdir()
    (sandbox.home / ".local" / "bin").mkdir(parents=True)
    (sandbox.home / ".local" / "bin" / "hldctl").symlink_to(Path(sys.executable).with_name("hldctl"))
    # Of the fields of its line those for the time are left out.
    documented = block("how-to/recipes.md", "crontab").splitlines()[1].split(maxsplit=5)[5]
    jobs = {
        "documented": documented,
        "waited": f"{HLDCTL} launch --wait 'Please greet me'",
        "left": f"{HLDCTL} launch -q 'Please outlive me' --allowed-tools Bash",
    }
    with Cron(sandbox.root / "cron", variables, jobs) as cron:
        cron.tick()
        shown = cron.ended("documented")
        assert (shown.returncode, shown.stdout, shown.stderr) == (0, "Updated.\n", "")
        waited = cron.ended("waited")
        assert (waited.returncode, waited.stdout) == (0, "Grüß Gott.\n"), waited.stderr
        launched = cron.ended("left")
        assert (launched.returncode, launched.stderr) == (0, "")
    assert sandbox.show("nightly")["working_dir"] == str(sandbox.home / "project")
    session_id = launched.stdout.strip()
    sandbox.journal_has(session_id, "tool_use")
    session = sandbox.show(session_id)
    assert (session["status"], session["working_dir"]) == ("running", str(sandbox.home))
    (sandbox.home / "go-on").touch()
    assert sandbox.ended(session_id)["end_reason"] == "success"
    results = [event for event in sandbox.events(session_id) if event["event_type"] == "tool_result"]
    told, terminal = (result["tool_result_content"] for result in results)
    environment = dict(line.split("=", 1) for line in told.splitlines())
    assert (environment["PATH"], environment["SHELL"]) == ("/usr/bin:/bin", "/bin/sh")
    assert not {"LANG", "TERM"} & environment.keys()
    assert terminal == "no terminal"
    eventually(lambda: not sandbox.processes(), "all to leave")
