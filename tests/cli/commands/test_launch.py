from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.sandbox import TIMEOUT_SECONDS, Json, Sandbox, eventually

RECORD = """
argv = sys.argv[1:]
query = json.loads(sys.stdin.readline())["message"]["content"]
json.dump({"argv": argv, "env": dict(os.environ), "cwd": os.getcwd(), "query": query},
          open(os.environ["HLDCTL_HOME"] + "/recorded", "w"))
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "recorded"}))
"""


def run_recorder(sandbox: Sandbox, *arguments: str | Path, **options: object) -> Json:
    """Launch a session. Return the arguments, environment, directory and query that Claude Code gets."""
    sandbox.fake_claude(RECORD)
    sandbox.ok("launch", "--wait", *arguments, **options)
    record: Json = json.loads((sandbox.state.root / "recorded").read_text())
    return record


def option_value(argv: list[str], flag: str) -> str:
    return argv[argv.index(flag) + 1]


def assert_nothing_was_created(sandbox: Sandbox) -> None:
    assert not sandbox.state.database.exists() or sandbox.ok("ls", "-q") == ""
    assert not list(sandbox.state.root.glob("sessions/*"))
    eventually(lambda: not sandbox.processes(), "a supervisor that was started early to leave")


def test_launch_prints_only_the_id(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Hello.")
    launched = sandbox.run("launch", "Hello")
    assert launched.stdout == sandbox.ok("ls", "-q")
    assert launched.stderr == ""


def test_options_reach_claude_code(sandbox: Sandbox) -> None:
    other = sandbox.root / "other"
    other.mkdir()
    record = run_recorder(
        sandbox,
        *("Do it", "--model", "opus", "--max-turns", "3", "--max-budget-usd", "1.5", "--add-dir", str(other)),
        *("--system-prompt", "You are brief.", "--append-system-prompt", "Be kind.", "--custom-instructions", "Rhyme."),
        *("--permission-mode", "plan", "--permission-prompt-tool", "mcp__a__b"),
        *("--allowed-tools", "Bash(git log:*),Read", "--allowed-tools", "Write", "--disallowed-tools", "WebFetch"),
        *("--mcp-config", '{"mcpServers": {"a": {"command": "true"}}}', "--settings", '{"model": "opus"}'),
        *("--env", "PLANET=Mars", "--", "--fallback-model", "haiku"),
    )
    argv = record["argv"]
    assert record["query"] == "Do it"
    assert record["cwd"] == str(sandbox.work)
    assert record["env"]["PLANET"] == "Mars"
    assert option_value(argv, "--model") == "opus"
    assert option_value(argv, "--max-turns") == "3"
    assert option_value(argv, "--max-budget-usd") == "1.5"
    assert option_value(argv, "--add-dir") == str(other)
    assert Path(option_value(argv, "--system-prompt-file")).read_text() == "You are brief."
    assert Path(option_value(argv, "--append-system-prompt-file")).read_text() == "Be kind.\n\nRhyme."
    assert option_value(argv, "--permission-mode") == "plan"
    assert option_value(argv, "--permission-prompt-tool") == "mcp__a__b"
    first = argv.index("--allowedTools")
    assert argv[first + 1 : first + 4] == ["Bash(git log:*)", "Read", "Write"]
    assert option_value(argv, "--disallowedTools") == "WebFetch"
    assert json.loads(Path(option_value(argv, "--mcp-config")).read_text())["mcpServers"]["a"]["command"] == "true"
    settings = json.loads(Path(option_value(argv, "--settings")).read_text())
    assert (settings["model"], settings["env"]["HLDCTL_HOME"]) == ("opus", str(sandbox.state.root))
    assert argv[-2:] == ["--fallback-model", "haiku"]


def test_options_are_recorded_with_the_session(sandbox: Sandbox) -> None:
    sandbox.fake_claude(RECORD)
    session_id = sandbox.launch("Do it", "--title", "Chores", "--max-turns", "3", "--allowed-tools", "Read,Bash")
    session = sandbox.wait_for_end(session_id)
    assert (session["query"], session["summary"], session["title"]) == ("Do it", "Do it", "Chores")
    assert (session["max_turns"], session["allowed_tools"]) == (3, ["Read", "Bash"])
    assert session["working_dir"] == str(sandbox.work)
    assert session["additional_directories"] == session["disallowed_tools"] == []
    assert session["archived"] is False
    assert session["model"] is None


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (["-"], "from the pipe"),
        ([], "from the pipe"),
        (["--query-file", "query.txt"], None),
        (["--", "-x"], None),
        (["a word"], None),
    ],
    ids=["dash", "pipe", "file", "after dashes", "word"],
)
def test_query_comes_from_argument_pipe_or_file(sandbox: Sandbox, arguments: list[str], typed: str | None) -> None:
    (sandbox.work / "query.txt").write_text("from the file")
    expected = typed or {"--query-file": "from the file", "--": "-x"}.get(arguments[0], arguments[-1])
    assert run_recorder(sandbox, *arguments, input=typed)["query"] == expected


def test_query_of_five_megabytes_works(sandbox: Sandbox) -> None:
    query = "long " * 1_000_000
    assert run_recorder(sandbox, "-", input=query)["query"] == query


def test_long_system_prompt_is_passed_in_a_file(sandbox: Sandbox) -> None:
    prompt = "Be brief. " * 20_000
    (sandbox.root / "prompt").write_text(prompt)
    sandbox.fake_claude(RECORD)
    # In two options, because one argument of hldctl cannot be as long either.
    halves = [prompt[:100_000], prompt[100_000:]]
    argv = run_recorder(sandbox, "Hi", "--append-system-prompt", halves[0], "--custom-instructions", halves[1])["argv"]
    assert Path(option_value(argv, "--append-system-prompt-file")).read_text() == "\n\n".join(halves)


def test_variables_of_an_outer_claude_code_do_not_leak(sandbox: Sandbox) -> None:
    outer_environment = {
        "CLAUDECODE": "1",
        "CLAUDE_CODE_SESSION_ID": "outer",
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "CLAUDE_PID": "1",
        "HLDCTL_SESSION_ID": "outer",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "1000",
    }
    environment = run_recorder(sandbox, "Hi", environment=outer_environment)["env"]
    session_id = sandbox.ok("ls", "-q").strip()
    assert not {"CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_PID"} & set(environment)
    assert environment["HLDCTL_SESSION_ID"] == session_id


def test_wait_prints_the_result_and_sets_the_exit_code(sandbox: Sandbox) -> None:
    sandbox.serve_script("say All is well.\n\n[fail]\nfail 400 no luck")
    good = sandbox.run("launch", "Hello", "--wait")
    bad = sandbox.run("launch", "Please fail", "--wait")
    assert (good.returncode, good.stdout) == (0, "All is well.\n")
    assert bad.returncode == 1
    assert "no luck" in bad.stderr


def test_follow_prints_the_conversation(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.\n\n")
    assert sandbox.ok("launch", "Hello", "--follow").splitlines() == ["user: Hello", "claude: One."]
    lines = [json.loads(line) for line in sandbox.ok("launch", "Hello", "--follow", "--json").splitlines()]
    assert [line["content"] for line in lines] == ["Hello", "One."]


def test_json_prints_the_session(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.")
    launched = json.loads(sandbox.ok("launch", "Hello", "--json"))
    waited = json.loads(sandbox.ok("launch", "Hello", "--wait", "--json"))
    assert launched["status"] == "running"
    assert (waited["status"], waited["result_content"]) == ("completed", "One.")


@pytest.mark.parametrize("signal_name", ["INT", "TERM"])
def test_signal_during_wait_interrupts_the_session(sandbox: Sandbox, signal_name: str) -> None:
    sandbox.serve_script("say Here.\nhang")
    launcher = sandbox.popen("launch", "Hello", "--wait")
    assert launcher.stderr is not None
    session_id = launcher.stderr.readline().split()[-1]
    sandbox.wait_for_journal(session_id, "Here.")
    launcher.send_signal(signal.Signals[f"SIG{signal_name}"])
    launcher.communicate(timeout=TIMEOUT_SECONDS)
    assert launcher.returncode == 130
    assert sandbox.show(session_id)["status"] == "interrupted"


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.4])
def test_signal_before_the_wait_leaves_no_session_running(sandbox: Sandbox, delay: float) -> None:
    sandbox.fake_claude("while True:\n    time.sleep(1)")
    launcher = sandbox.popen("launch", "Hello", "--wait")
    # The signal arrives anywhere from the start of the interpreter on.
    with contextlib.suppress(subprocess.TimeoutExpired):
        launcher.wait(delay)
    launcher.terminate()
    launcher.communicate(timeout=TIMEOUT_SECONDS)
    running = json.loads(sandbox.ok("ls", "--json", "--status", "running", "--status", "starting"))
    assert running == []


def test_create_dir_follows_the_umask(sandbox: Sandbox) -> None:
    os.umask(0o022)
    record = run_recorder(sandbox, "Hi", "-C", "~/new/place", "--create-dir")
    directory = sandbox.home / "new" / "place"
    assert record["cwd"] == str(directory)
    assert directory.stat().st_mode & 0o777 == directory.parent.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["Hi", "-C", "missing"], ["missing", "--create-dir"]),
        (["Hi", "-C", "a-file"], ["a-file", "is not a directory"]),
        (["Hi", "--add-dir", "missing"], ["missing"]),
        ([""], ["empty"]),
        (["   \n "], ["empty"]),
        (["--query-file", "missing"], ["missing", "No such file"]),
        (["Hi", "--query-file", "a-file"], ["either"]),
        (["Hi", "--mcp-config", "missing.json"], ["--mcp-config missing.json", "No such file"]),
        (["Hi", "--mcp-config", "a-file"], ["--mcp-config a-file", "not valid JSON"]),
        (["Hi", "--mcp-config", "{"], ["--mcp-config", "not valid JSON"]),
        (["Hi", "--mcp-config", "{}"], ["mcpServers"]),
        (["Hi", "--mcp-config", "[]"], ["--mcp-config", "JSON object"]),
        (["Hi", "--settings", '""'], ["--settings", "JSON object"]),
        (["Hi", "--mcp-config", '{"mcpServers": {"x": 5}}'], ["'x'", "object"]),
        (["Hi", "--mcp-config", '{"mcpServers": {"x": {}}}'], ["'x'", "command"]),
        (["Hi", "--mcp-config", '{"mcpServers": {"x": {"command": 5}}}'], ["'x'", "command"]),
        (["Hi", "--mcp-config", '{"mcpServers": {"x": {"type": "http"}}}'], ["'x'", "url"]),
        (["Hi", "--mcp-config", '{"mcpServers": {"x": {"type": "odd", "url": "u"}}}'], ["'x'", "type"]),
        (["Hi", "--mcp-config", '{"mcpServers": {"x": {"command": "c", "args": "a"}}}'], ["'x'", "args"]),
        (["Hi", "--mcp-config", '{"mcpServers": {"x": {"command": "c", "env": {"K": 5}}}}'], ["'x'", "env"]),
        (["Hi", "--settings", "missing.json"], ["--settings missing.json", "No such file"]),
        (["Hi", "--settings", "array.json"], ["--settings array.json", "object"]),
        (["Hi", "--env", "NO_SUCH_VARIABLE"], ["NO_SUCH_VARIABLE="]),
        (["Hi", "there"], ["quote the query"]),
        (["Hi", "--max-turns", "0"], ["--max-turns"]),
        (["Hi", "--no-such-option"], ["--no-such-option"]),
    ],
)
def test_bad_usage_prints_a_message_and_creates_nothing(
    sandbox: Sandbox, arguments: list[str], messages: list[str]
) -> None:
    (sandbox.work / "a-file").write_text("no JSON")
    (sandbox.work / "array.json").write_text("[]")
    launched = sandbox.run("launch", *arguments)
    assert launched.returncode == 2
    assert launched.stdout == ""
    assert "Traceback" not in launched.stderr
    for message in messages:
        assert message in launched.stderr
    assert_nothing_was_created(sandbox)


def test_unreadable_mcp_config_prints_a_message(sandbox: Sandbox) -> None:
    (sandbox.work / "directory").mkdir()
    launched = sandbox.run("launch", "Hi", "--mcp-config", "directory")
    assert launched.returncode == 2
    assert "Is a directory" in launched.stderr


def test_missing_claude_lists_the_searched_places(sandbox: Sandbox) -> None:
    del sandbox.environment["HLDCTL_CLAUDE"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(make_empty_sdk(sandbox))}
    launched = sandbox.run("launch", "Hi", environment=environment)
    assert launched.returncode == 5
    for place in ("PATH", "~/.local/bin/claude", "claude-agent-sdk", "HLDCTL_CLAUDE"):
        assert place in launched.stderr
    assert_nothing_was_created(sandbox)


def make_empty_sdk(sandbox: Sandbox) -> Path:
    """Return a directory with a claude_agent_sdk without a binary, to precede the installed one."""
    package = sandbox.root / "hiding" / "claude_agent_sdk"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    return package.parent


def test_invalid_claude_path_is_named(sandbox: Sandbox) -> None:
    launched = sandbox.run("launch", "Hi", environment={"HLDCTL_CLAUDE": "/no/such/claude"})
    assert launched.returncode == 5
    assert "/no/such/claude" in launched.stderr
    assert_nothing_was_created(sandbox)


def test_modules_in_the_working_directory_are_not_imported(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Hello.")
    for name in ("json.py", "peewee.py"):
        (sandbox.work / name).write_text("raise SystemExit('imported from the working directory')")
    program = Path(sys.executable).with_name("hldctl")
    launched = subprocess.run(
        [program, "launch", "Hi", "--wait"], cwd=sandbox.work, env=sandbox.environment, capture_output=True, text=True
    )
    assert (launched.returncode, launched.stdout) == (0, "Hello.\n"), launched.stderr
