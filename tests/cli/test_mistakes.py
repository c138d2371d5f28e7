"""Mistakes of first users: each gets one line with what is wrong and what to type instead, and changes nothing."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from hldctl.cli import synonyms
from hldctl.cli.app import COMMANDS
from hldctl.cli.command_line import parse
from tests.helpers.sandbox import Sandbox, claude_binary

MISTAKES = [
    ('run "fix it"', 2, 'to start a session: hldctl launch "fix it"'),
    ("start", 2, 'to start a session: hldctl launch "…"'),
    ('new "fix `it`" --model opus', 2, "hldctl launch 'fix `it`'"),
    ("stop last", 2, "to stop a session: hldctl interrupt last"),
    ("kill", 2, "to stop a session: hldctl interrupt ID"),
    ('resume last "Go on"', 2, 'to continue a session: hldctl continue last "Go on"'),
    ("attach last", 2, "hldctl tail -f last"),
    ("logs last", 2, "to follow a session's conversation: hldctl tail -f last"),
    ("list", 2, "to list the sessions: hldctl ls"),
    ("ps", 2, "to list the sessions: hldctl ls"),
    ("delete 3f0c", 2, "to delete a session: hldctl rm 3f0c"),
    ("archive last", 2, "hldctl set last --archive"),
    ("rename last Parser", 2, 'to give a session a title: hldctl set last --title "Parser"'),
    ("lanch", 2, "there is no command 'lanch'. Did you mean 'launch'?"),
    ("hlep", 2, "Did you mean 'help'?"),
    ("prun", 2, "there is no command 'prun'; see hldctl --help"),
    ("config sett", 2, "there is no command 'config sett'. Did you mean 'set'"),
    ('"fix the test"', 2, 'to start a session: hldctl launch "fix the test"'),
    ("launch fix the test", 2, 'quote the query: hldctl launch "fix the test"'),
    ("continue last and then", 2, 'quote the query: hldctl continue last "and then"'),
    ('continue "and now document it"', 2, "The ID of the session to continue is missing"),
    ("launch Hi --allowed-tools Read Bash", 2, "repeat the option for each value: --allowed-tools Bash"),
    ("launch --dir /tmp Hi", 2, "there is no option --dir; the directory is -C DIR"),
    ("launch Hi -C /nonexistent", 2, "does not exist; add --create-dir"),
    ("launch Hi --timeout 30min", 2, "--timeout: '30min' is not a duration; write"),
    ("launch Hi --timeout 0", 2, "--timeout: must be greater than zero"),
    ("launch Hi --timeout", 2, "--timeout needs a value; see hldctl launch --help"),
    ("launch Hi --max-budget-usd '$5'", 2, "write 5 or 0.50"),
    ("launch Hi -C a-file", 2, "a-file is not a directory"),
    ("launch Hi --mcp-config nosuch.json", 2, "--mcp-config nosuch.json cannot be read: No such file"),
    ("launch Hi --settings '{bad'", 2, "--settings is not valid JSON"),
    ("launch Hi --env NOSUCH", 2, "write NOSUCH=VALUE to set it"),
    ("launch Hi --group nosuch", 2, "as in nosuch = 2"),
    ("launch Hi --name 'my name'", 2, "start with a letter or digit"),
    ("launch Hi --approval-timeout 30m", 2, "write 30m=deny or 30m=allow"),
    ("launch Hi --if-running skip", 2, "--name"),
    ("launch Hi --yolo", 2, "to allow everything without asking: --dangerously-skip-permissions"),
    ("launch Hi --allowedTools Bash", 2, "write --allowed-tools TOOL"),
    ("launch Hi --betas b", 2, "Claude Code's own options go after --: hldctl launch … -- --betas b"),
    ("launch Hi --effort huge", 2, "--effort: 'huge' is not a level of effort; write one of low, medium, high"),
    ("launch Hi --effort low -- --effort high", 2, "--effort is given both before and after --; write it once"),
    ("launch Hi --tools Read -- --tools Bash", 2, "--tools is given both before and after --; write it once"),
    ("launch Hi --model opus -- --model=haiku", 2, "--model is given both before and after --; write it once"),
    ("launch Hi --tools 'Bash(git *)'", 2, "write --tools Bash --allowed-tools 'Bash(git *)'"),
    ("launch Hi --tools mcp__a__b", 2, "to forbid one: --disallowed-tools mcp__a__b"),
    ("launch Hi --tools default,Read", 2, "--tools default stands for the usual tools; write it alone"),
    ("launch Hi --agents '{bad'", 2, "--agents is not valid JSON"),
    ("launch Hi --agents nosuch.json", 2, "--agents nosuch.json cannot be read: No such file"),
    ("launch Hi --agents '{\"a\": 5}'", 2, "--agents: the agent 'a' must be an object"),
    ("launch Hi --json-schema '{bad'", 2, "--json-schema is not valid JSON"),
    ("launch Hi --json-schema '[]'", 2, "--json-schema must be a JSON object"),
    ("launch Hi --json-schema nosuch.json", 2, "--json-schema nosuch.json cannot be read: No such file"),
    ('launch Hi --json-schema \'{"type": "array"}\'', 2, "the result is always an object, and nothing can fit"),
    ("launch Hi --json-schema {} -- --json-schema {}", 2, "--json-schema is given both before and after --"),
    ("launch Hi --cloud", 2, "there is no option --cloud; hldctl could not record what Claude Code does there"),
    ("launch Hi -w", 2, "there is no option -w; to work in a git worktree: --worktree"),
    ("launch Hi --debug", 2, "Claude Code's own options go after --: hldctl launch … -- --debug"),
    ("continue last Hi --betas=b", 2, "Claude Code's own options go after --: hldctl continue … -- --betas=b"),
    ("launch -p Hi", 2, "--wait prints the result, as `claude -p` does"),
    ("launch --resume 3f0c Hi", 2, 'to continue a session: hldctl continue ID "…"'),
    ("-p Hi", 2, 'to run a session and print its result: hldctl launch --wait "…"'),
    ("--json ls", 2, "there is no option --json before the command; write it after: hldctl ls --json"),
    ("--versoin", 2, "Did you mean '--version'?"),
    ("tail -z last", 2, "there is no option -z; see hldctl tail --help"),
    ("tail -n -1 last", 2, "-n: -1 is too small; write 0 or more."),
    ("show", 2, "ID is missing; see hldctl show --help"),
    ("show abc", 3, "a prefix of an id must have at least 4 characters"),
    ("show zzzz", 3, "`hldctl ls --all` lists all sessions"),
    ("ls last", 2, "unexpected argument 'last'; see hldctl ls --help"),
    ("ls --status done", 2, "'waiting_input'"),
    ("ls --format json", 2, "for JSON there is --json"),
    ("approve last", 3, "`hldctl approvals` lists the pending ones"),
    ("interrupt --all last", 2, "Give either the ids of the sessions to stop, or --all, not both."),
    ("launch Hi --env 'A B=1'", 2, "--env 'A B'"),
    ("rm --all", 2, "hldctl prune --keep 0 --dry-run"),
    ("prune", 2, "--older-than 30d, --keep 100"),
    ("prune --older-than 30", 2, "write 30d for days"),
    ("config set modle opus", 2, "'modle'"),
]


@pytest.mark.parametrize(("typed", "exit_code", "answer"), MISTAKES, ids=[typed for typed, _, _ in MISTAKES])
def test_mistake_gets_one_line_with_the_way_out(sandbox: Sandbox, typed: str, exit_code: int, answer: str) -> None:
    (sandbox.work / "a-file").touch()
    done = sandbox.run(*shlex.split(typed))
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert answer in done.stderr
    assert done.stderr.startswith("hldctl: ")
    assert done.stderr.count("\n") == 1
    assert not sandbox.state.sessions.exists()


@pytest.mark.parametrize(
    ("option", "rule", "tool"),
    [
        ("--allowed-tools", "Bahs", "Bash"),
        ("--allowed-tools", "bash(make:*)", "Bash"),
        ("--disallowed-tools", "Read,WebFetsh", "WebFetch"),
        ("--tools", "Read,Grepp", "Grep"),
    ],
)
def test_misspelled_tool_gets_a_warning(sandbox: Sandbox, option: str, rule: str, tool: str) -> None:
    sandbox.fake_claude("")
    done = sandbox.run("launch", "Hi", option, rule)
    assert f"hldctl: warning: {option} {rule.removeprefix('Read,')}: " in done.stderr
    assert f"did you mean {tool}?" in done.stderr
    assert sandbox.run("launch", "Hi", "-q", option, rule).stderr == ""


def test_known_and_foreign_tools_get_no_warning(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    for rule in ("Bash(git log:*),Read", "mcp__files__read", "mcp__*", "Zzyzx"):
        assert "warning: --allowed-tools" not in sandbox.run("launch", "Hi", "--allowed-tools", rule).stderr


def test_help_and_version_work_as_words(sandbox: Sandbox) -> None:
    assert sandbox.ok("help") == sandbox.ok("--help")
    assert sandbox.ok("help", "launch") == sandbox.ok("launch", "--help")
    assert sandbox.ok("help", "config", "set") == sandbox.ok("config", "set", "--help")
    assert sandbox.ok("version") == sandbox.ok("-V") == sandbox.ok("--version")


def test_synonyms_name_commands_that_exist() -> None:
    assert not synonyms.COMMANDS.keys() & COMMANDS.keys()
    for hint in synonyms.COMMANDS.values():
        assert hint.line.split()[0] in {*COMMANDS, "--install-completion"}
    assert synonyms.OPTIONS.keys() - {""} <= COMMANDS.keys()


def claude_options() -> list[str]:
    """Return the options that the real Claude Code lists."""
    text = subprocess.run([claude_binary(), "--help"], capture_output=True, text=True, check=True).stdout
    listed = text.partition("\nOptions:\n")[2].partition("\nCommands:\n")[0]
    heads = re.findall(r"^  (-.*?)(?:  |$)", listed, re.MULTILINE)
    return [name for head in heads for name in re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", head)]


def test_each_option_of_claude_code_works_or_gets_an_answer(sandbox: Sandbox) -> None:
    options = claude_options()
    assert len(options) > 60
    assert synonyms.CLAUDE_OPTIONS.keys() <= {*options}
    unanswered = []
    for option in options:
        if parse(["launch", option, "x"], {}).has(option):
            continue
        done = sandbox.run("launch", "Hi", option)
        answer = done.stderr.removeprefix(f"hldctl: there is no option {option}; ")
        is_answer = answer != done.stderr and answer.count("\n") == 1 and not answer.startswith("see hldctl")
        if done.returncode != 2 or not is_answer:
            unanswered.append((option, done.stderr))
    assert unanswered == []
    assert synonyms.OPTIONS["continue"] == synonyms.OPTIONS["launch"]
