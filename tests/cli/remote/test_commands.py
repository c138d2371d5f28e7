"""Commands that run on another machine: what reaches it, and what comes back."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hldctl.cli.remote import ssh
from tests.helpers.other_machine import OtherMachine
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually
from tests.helpers.seed_database import seed_sessions

_SAY = "say Done there."
# What a shell would take apart, in any of the shells that read it on the way.
_ODD_QUERY = 'it\'s "quoted" $HOME `id` \\ !! *\n\tsecond line; exit 3 # é🙂'


def write(sandbox: Sandbox, name: str, text: str) -> Path:
    file = sandbox.work / name
    file.write_text(text)
    return file


def launch(build: OtherMachine, *arguments: str | Path, script: str = _SAY, input: str | None = None) -> str:
    """Launch a session there, and return its id."""
    file = write(build.here, "script.txt", script)
    return build.here.launch("-H", "build", "--rehearse", file, "-C", build.there.work, *arguments, input=input)


def test_query_arrives_with_all_its_characters(build: OtherMachine) -> None:
    session_id = launch(build, _ODD_QUERY)
    assert build.there.wait_for_end(session_id)["query"] == _ODD_QUERY
    assert build.here.ok("wait", "-H", "build", session_id, "--results") == "Done there.\n"
    assert build.here.ok("ls", "-q") == ""


def test_query_file_and_pipe_may_be_longer_than_an_argument(build: OtherMachine) -> None:
    file = write(build.here, "query.md", "file " * 100_000)
    session_id = launch(build, "--query-file", file, input="piped " * 100_000)
    assert build.there.show(session_id)["query"].split() == ["file"] * 100_000 + ["piped"] * 100_000


def test_query_is_read_from_standard_input(build: OtherMachine) -> None:
    session_id = launch(build, input="from a pipe")
    assert build.there.show(session_id)["query"] == "from a pipe"


def test_option_is_accepted_before_and_after_the_command_and_as_a_variable(build: OtherMachine) -> None:
    (session_id,) = seed_sessions(build.there.state.root, 1, 1)
    here = build.here
    for arguments in (["-H", "build", "ls", "-q"], ["--host=build", "ls", "-q"], ["ls", "-qHbuild"]):
        assert here.ok(*arguments) == f"{session_id}\n"
    variable = {"HLDCTL_HOST": "build"}
    assert here.ok("ls", "-q", environment=variable) == f"{session_id}\n"
    assert here.ok("ls", "-q", "-H", "", environment=variable) == ""
    assert here.ok("config", "path", "-H", "build").startswith(str(build.there.home))


def test_exit_code_and_message_are_those_of_the_command(build: OtherMachine) -> None:
    done = build.here.run("-H", "build", "show", "missing")
    assert (done.returncode, done.stderr) == (
        3,
        "hldctl: No session 'missing'; `hldctl -H build ls --all` lists all sessions.\n",
    )
    assert build.here.run("-H", "build", "ls", "--bogus").returncode == 2


def test_messages_name_commands_with_the_machine(build: OtherMachine) -> None:
    seed_sessions(build.there.state.root, 1, 1)
    done = build.here.run("-H", "build", "send", "last", "More.")
    assert done.returncode == 4
    assert "hldctl -H build continue" in done.stderr


def test_variables_and_settings_come_from_here(build: OtherMachine) -> None:
    command = json.dumps({"command": 'echo "$SECRET $SETTING" > out'})
    settings = write(build.here, "settings.json", '{"env": {"SETTING": "from-a-file"}}')
    build.here.environment["SECRET"] = "it's secret"
    options = ("--env", "SECRET", "--settings", settings, "--dangerously-skip-permissions")
    session_id = launch(build, "go", *options, script=f"call Bash {command}\n\nsay Done.")
    build.there.wait_for_end(session_id)
    assert (build.there.work / "out").read_text() == "it's secret from-a-file\n"


def test_missing_local_file_is_a_usage_error(build: OtherMachine) -> None:
    done = build.here.run("-H", "build", "launch", "--query-file", "missing.md")
    assert done.returncode == 2
    assert done.stderr == "hldctl: --query-file missing.md cannot be read: No such file or directory.\n"


def test_export_to_a_file_writes_it_here(build: OtherMachine) -> None:
    (session_id,) = seed_sessions(build.there.state.root, 1, 3)
    build.here.ok("export", "last", "-o", "run.html", "-H", "build")
    exported = (build.here.work / "run.html").read_text()
    assert exported.startswith("<!DOCTYPE html>")
    assert exported.endswith("</html>\n")
    assert session_id in exported
    assert not (build.there.home / "run.html").exists()


def test_tab_offers_sessions_of_the_other_machine(build: OtherMachine) -> None:
    (session_id,) = seed_sessions(build.there.state.root, 1, 1)
    offered = build.here.ok("-H", "build", "show", "", environment={"_HLDCTL_COMPLETE": "zsh"})
    assert [line.split("\t")[0] for line in offered.splitlines()] == [session_id[:8]]
    line = f"hldctl show -H build {session_id[:3]}"
    assert build.here.ok(" \t", line, environment={"_HLDCTL_COMPLETE": "bash"}) == f"{session_id[:8]}\n"


def test_tab_offers_hosts_of_the_ssh_configuration(sandbox: Sandbox) -> None:
    (sandbox.home / ".ssh").mkdir()
    (sandbox.home / ".ssh/config").write_text("Host build web-*\n  Port 22\nhost = gpu\n")
    assert sandbox.ok("ls", "-H", "", environment={"_HLDCTL_COMPLETE": "zsh"}) == "build\ngpu\n"


def test_unreachable_machine_is_one_sentence(build: OtherMachine) -> None:
    build.stop()
    done = build.here.run("-H", "build", "launch", "x")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == (
        f"hldctl: build cannot be reached by ssh (connect to host 127.0.0.1 port {build.port}: Connection refused).\n"
    )


def test_unknown_host_key_does_not_hang_a_script(build: OtherMachine) -> None:
    (build.directory / "known").write_text("")
    done = build.here.run("-H", "build", "ls")
    assert (done.returncode, done.stderr) == (
        5,
        "hldctl: build cannot be reached by ssh (Host key verification failed).\n",
    )


def test_machine_without_hldctl_is_one_sentence(build: OtherMachine) -> None:
    (build.bin / "hldctl").unlink()
    done = build.here.run("-H", "build", "ls")
    assert done.returncode == 5
    assert done.stderr == (
        "hldctl: hldctl was not found on build, neither on the PATH of its shells nor in ~/.local/bin; install it "
        "there, for example with pipx.\n"
    )


def test_hldctl_is_found_where_pipx_installs_it(build: OtherMachine) -> None:
    directory = build.there.home / ".local/bin"
    directory.mkdir(parents=True)
    (build.bin / "hldctl").rename(directory / "hldctl")
    assert build.here.ok("-H", "build", "--version") == build.here.ok("--version")


def test_hldctl_that_does_not_know_requests_is_named(build: OtherMachine) -> None:
    build.install("exit 2")
    done = build.here.run("-H", "build", "ls")
    assert (done.returncode, done.stderr) == (5, "hldctl: hldctl on build is too old for --host; update it there.\n")


def test_output_of_a_shell_at_its_start_does_not_get_into_the_data(build: OtherMachine) -> None:
    script = (build.bin / "hldctl").read_text().partition("\n")[2]
    build.install(f"echo Welcome to build!\n{script}")
    done = build.here.run("-H", "build", "ls", "--json")
    assert (json.loads(done.stdout), done.stderr) == ([], "Welcome to build!\n")


@pytest.mark.parametrize("name", ["-oProxyCommand=touch x", "a b", "a\nb"])
def test_name_that_is_not_a_machine_is_refused(sandbox: Sandbox, name: str) -> None:
    done = sandbox.run("ls", f"--host={name}")
    assert done.returncode == 2
    assert "cannot be the name of a machine" in done.stderr


def test_other_commands_share_the_first_connection(build: OtherMachine) -> None:
    for _ in range(2):
        build.here.ok("-H", "build", "ls")
    assert len(build.connections()) == 1


def test_connection_of_the_users_own_configuration_is_used(build: OtherMachine) -> None:
    socket = Path(build.here.environment["XDG_RUNTIME_DIR"]) / "own"
    with (build.directory / "ssh_config").open("a") as file:
        file.write(f" ControlMaster auto\n ControlPath {socket}\n ControlPersist 60\n")
    build.here.ok("-H", "build", "ls")
    assert socket.exists()
    assert [each.name for each in (socket.parent / "hldctl").iterdir()] == []


def test_session_does_not_get_rights_by_another_machine(build: OtherMachine) -> None:
    launch(build, "go", "--approvals", script='call Bash {"command": "touch made"}\n\nsay Done.')
    eventually(lambda: build.there.ok("approvals").count("Bash"), "the request")
    done = build.here.run("-H", "build", "approve", "--all", environment={"HLDCTL_SESSION_ID": "0" * 36})
    assert (done.returncode, build.there.ok("approvals").count("Bash")) == (4, 1)


def test_launcher_is_known_there_and_its_limits_stay_here(build: OtherMachine) -> None:
    build.here.serve_script(_SAY)
    plain = build.here.wait_for_end(build.here.launch("plain"))["id"]
    file = write(build.here, "script.txt", _SAY)
    command = ("-H", "build", "launch", "go", "-q", "--rehearse", file, "-C", build.there.work)
    launched = build.here.ok(*command, environment={"HLDCTL_SESSION_ID": plain}).strip()
    assert build.there.wait_for_end(launched)["launched_by"] == plain
    for limits in (["--max-budget-usd", "5"], ["--disallowed-tools", "Edit"], ["--permission-mode", "plan"]):
        limited = build.here.wait_for_end(build.here.launch("limited", *limits))["id"]
        refused = build.here.run(*command, environment={"HLDCTL_SESSION_ID": limited})
        assert (refused.returncode, "which another machine would not know" in refused.stderr) == (4, True), limits
    assert len(build.there.ok("ls", "-q").split()) == 1


def test_arguments_after_dashes_are_those_of_the_command(build: OtherMachine) -> None:
    session_id = launch(build, "--title", "-H", "--", "-H nowhere", "--verbose")
    session = build.there.show(session_id)
    assert (session["query"], session["title"]) == ("-H nowhere", "-H")


@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "zsh"])
def test_every_login_shell_runs_the_script(build: OtherMachine, shell: str) -> None:
    program = shutil.which(shell)
    assert program is not None
    environment = {"HOME": str(build.there.home), "PATH": f"{build.bin}:/usr/bin:/bin"}
    command = [program, "-c", ssh.run_script("--version")]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert (done.returncode, done.stdout) == (0, build.here.ok("--version"))


def test_reader_that_leaves_ends_the_command(build: OtherMachine) -> None:
    seed_sessions(build.there.state.root, 1, 2000)
    with build.here.popen("-H", "build", "tail", "last") as reading:
        assert reading.stdout is not None
        reading.stdout.readline()
        reading.stdout.close()
        assert reading.wait(TIMEOUT_SECONDS) == 141
        assert reading.stderr is not None
        assert reading.stderr.read() == ""
    eventually(lambda: not build.readers(), "the command there to exit")


def test_output_that_cannot_be_written_does_not_hide_a_launch(build: OtherMachine) -> None:
    write(build.here, "script.txt", _SAY)
    with open("/dev/full", "wb") as full:
        options = ("go", "--rehearse", "script.txt", "-C", build.there.work)
        launching = build.here.popen("-H", "build", "launch", *options, stdout=full)
    assert launching.wait(TIMEOUT_SECONDS) == 6
    assert len(build.there.ok("ls", "-q").split()) == 1
