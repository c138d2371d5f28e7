"""Sessions launched by the real cron daemon, with a minimal environment and no terminal."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.helpers.cron import Cron
from tests.helpers.doc_blocks import read_block
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
    """Both ways to launch are in one test, since cron starts jobs only at full minutes."""
    sandbox.serve_script(SCRIPT)
    # Crontabs do not set these.
    variables = {name: value for name, value in sandbox.environment.items() if name not in ("LANG", "PATH", "TERM")}
    (sandbox.home / "project").mkdir()
    (sandbox.home / ".local" / "bin").mkdir(parents=True)
    (sandbox.home / ".local" / "bin" / "hldctl").symlink_to(Path(sys.executable).with_name("hldctl"))
    # A crontab line without the fields for the time.
    documented = read_block("how-to/recipes.md", "crontab").splitlines()[1].split(maxsplit=5)[5]
    jobs = {
        "documented": documented,
        "waited": f"{HLDCTL} launch --wait 'Please greet me'",
        "left": f"{HLDCTL} launch -q 'Please outlive me' --allowed-tools Bash",
    }
    with Cron(sandbox.root / "cron", variables, jobs) as cron:
        cron.run_jobs()
        done = cron.wait_for_job("documented")
        assert (done.returncode, done.stdout, done.stderr) == (0, "Updated.\n", "")
        waiting = cron.wait_for_job("waited")
        assert (waiting.returncode, waiting.stdout) == (0, "Grüß Gott.\n"), waiting.stderr
        launched = cron.wait_for_job("left")
        assert (launched.returncode, launched.stderr) == (0, "")
    assert sandbox.show("nightly")["working_dir"] == str(sandbox.home / "project")
    session_id = launched.stdout.strip()
    sandbox.wait_for_journal(session_id, "tool_use")
    session = sandbox.show(session_id)
    assert (session["status"], session["working_dir"]) == ("running", str(sandbox.home))
    (sandbox.home / "go-on").touch()
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    results = [event for event in sandbox.events(session_id) if event["event_type"] == "tool_result"]
    variables, terminal = (result["tool_result_content"] for result in results)
    environment = dict(line.split("=", 1) for line in variables.splitlines())
    assert (environment["PATH"], environment["SHELL"]) == ("/usr/bin:/bin", "/bin/sh")
    assert not {"LANG", "TERM"} & environment.keys()
    assert terminal == "no terminal"
    eventually(lambda: not sandbox.processes(), "all to leave")
