"""The Python API against the real Claude Code."""

from __future__ import annotations

import doctest
import inspect
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

import hldctl
from hldctl.client.client import Client
from hldctl.client.umask import current_umask
from tests.helpers.sandbox import Sandbox, eventually

ASK = {
    "questions": [
        {
            "question": "Tabs or spaces?",
            "header": "Indent",
            "multiSelect": False,
            "options": [{"label": "Tabs", "description": ""}, {"label": "Spaces", "description": ""}],
        }
    ]
}
SCRIPT = f"""\
say Hello.

[Touch a file]
call Bash {{"command": "touch made"}}

say Done.

[Ask me something]
call AskUserQuestion {json.dumps(ASK)}

say Thank you.

[Wait]
say Here.
hang
"""
EXAMPLES = [
    example
    for owner in (Client, hldctl.as_json)
    for example in doctest.DocTestFinder().find(owner, globs={})
    if example.examples
]
PUBLIC_METHODS = [name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")]


@pytest.fixture
def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Return a client in this process, with the environment of the sandbox."""
    sandbox.serve_script(SCRIPT)
    for name in list(os.environ):
        if name.startswith(("CLAUDE", "ANTHROPIC", "HLDCTL")):
            monkeypatch.delenv(name)
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(sandbox.work)
    umask = os.umask(0o022)
    yield Client()
    os.umask(umask)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example_of_a_docstring_works(client: Client, example: doctest.DocTest) -> None:
    if example.name in ("Client.session", "Client.sessions"):
        client.wait(client.launch("Say hello.").id)
    example.globs = {"hldctl": hldctl, "client": client}
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    failed = runner.run(example, out=report.append).failed
    assert not failed, "".join(report)


def test_each_method_has_an_example() -> None:
    assert {example.name.partition(".")[2] for example in EXAMPLES} >= {*PUBLIC_METHODS}


def test_result_is_the_session_of_the_command_line(client: Client, sandbox: Sandbox) -> None:
    session = client.wait(client.launch("Say hello.", title="T", timeout=timedelta(minutes=5)).id)
    (printed,) = json.loads(sandbox.ok("wait", session.id, "--json"))
    assert hldctl.as_json(session) == printed
    assert (session.timeout_ms, printed["title"]) == (300_000, "T")
    events = list(client.events(session.id))
    assert [hldctl.as_json(event) for event in events] == sandbox.events(session.id)


def test_results_cannot_be_changed(client: Client) -> None:
    session = client.launch("Say hello.")
    with pytest.raises(AttributeError):
        session.status = "failed"  # type: ignore[misc]
    client.wait(session.id)
    with pytest.raises(AttributeError):
        next(client.events(session.id)).content = ""  # type: ignore[misc]


def test_session_id_makes_a_launch_repeatable(client: Client) -> None:
    chosen = "5d0f6c1e-93a5-4c3e-8a55-0f0c39d5f001"
    ids = {client.launch("Say hello.", session_id=chosen).id for _ in range(2)}
    assert ids == {chosen}
    assert len(client.sessions()) == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda client: client.session("nobody"), hldctl.NoSuchSession, "No session 'nobody'"),
        (lambda client: client.launch(" "), hldctl.BadUsage, "The query is empty"),
        (lambda client: client.launch("Hi", max_turns="3"), hldctl.BadUsage, "max_turns must be a whole number"),
        (lambda client: client.launch("Hi", timeout="soon"), hldctl.BadUsage, "timeout: 'soon' is not a duration"),
        (lambda client: client.launch("Hi", permission_mode="all"), hldctl.BadUsage, "permission_mode must be one of"),
        (lambda client: client.launch("Hi", modle="opus"), TypeError, "'modle' is not an option"),
        (lambda client: client.sessions(statuses=["done"]), hldctl.BadUsage, "'done' is not a status"),
        (lambda client: client.approve("abcdef"), hldctl.NoSuchSession, "No permission request"),
    ],
)
def test_error_names_what_is_wrong(client: Client, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(client)
    assert client.sessions() == []


def test_ended_session_refuses_a_message(client: Client) -> None:
    session = client.wait(client.launch("Say hello.").id)
    with pytest.raises(hldctl.WrongState, match="has ended"):
        client.send(session.id, "More.")


def test_wait_that_times_out_leaves_the_session_running(client: Client) -> None:
    session = client.launch("Wait for me.")
    with pytest.raises(hldctl.TimedOut, match=session.id):
        client.wait(session.id, timeout=0.2)
    assert client.session(session.id).completed_at is None
    assert client.interrupt(session.id).status == hldctl.Status.INTERRUPTED


def test_options_take_python_values(client: Client, sandbox: Sandbox, tmp_path: Path) -> None:
    session = client.launch(
        "Say hello.",
        working_dir=tmp_path,
        allowed_tools=["Read", "Bash(git log:*)"],
        disallowed_tools="WebFetch,WebSearch",
        env={"NAME": "a=b"},
        mcp_config={"mcpServers": {}},
        max_budget_usd=2,
        retries=1,
        claude_arguments=["--verbose"],
    )
    client.wait(session.id)
    assert session.working_dir == str(tmp_path)
    assert session.allowed_tools == ("Read", "Bash(git log:*)")
    assert session.disallowed_tools == ("WebFetch", "WebSearch")
    assert (session.max_budget_usd, session.retries, session.extra_arguments) == (2, 1, ("--verbose",))
    assert json.loads(sandbox.files(session.id).environment.read_text()) == {"NAME": "a=b"}


def test_other_methods_work_while_events_are_followed(client: Client) -> None:
    chat = client.launch("Say hello.", keep_open=True)
    texts = []
    for event in client.events(chat.id, follow=True):
        if event.event_type == hldctl.EventType.MESSAGE and event.role == "assistant":
            texts.append(event.content)
            if len(texts) == 1:
                client.send(chat.id, "Say hello once more.")
            else:
                client.close(chat.id)
    assert texts == ["Hello.", "Hello."]
    assert client.session(chat.id).status == hldctl.Status.COMPLETED


def test_events_continue_after_a_number(client: Client) -> None:
    session = client.wait(client.launch("Touch a file.", allowed_tools="Bash").id)
    everything = list(client.events(session.id))
    assert list(client.events(session.id, after=2)) == everything[2:]
    result = next(event for event in everything if event.event_type == "tool_result")
    assert result.tool_name == "Bash"


def test_threads_use_clients_of_their_own_directories(client: Client, tmp_path: Path) -> None:
    others = [client, Client(tmp_path / "other"), Client()]
    ended: dict[int, list[str]] = {}

    def work(number: int) -> None:
        used = others[number]
        sessions = [used.launch("Say hello.") for _ in range(2)]
        ended[number] = [used.wait(session.id, timeout=120).status for session in sessions]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(others))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == {number: ["completed", "completed"] for number in range(3)}
    assert (len(client.sessions()), len(others[1].sessions())) == (4, 2)


def test_files_are_private_and_the_umask_stays(client: Client, sandbox: Sandbox) -> None:
    asking = client.launch("Touch a file.", approvals=True)
    client.wait(asking.id, until="waiting_input")
    client.approve(client.approvals(asking.id)[0].id)
    client.wait(asking.id)
    client.wait(client.continue_(asking.id, "Say hello.").id)
    assert current_umask() == 0o022
    made = stat.S_IMODE((sandbox.work / "made").stat().st_mode)
    assert made == 0o644
    opened = [
        str(path)
        for path in [sandbox.state.root, *sandbox.state.root.rglob("*")]
        if path.lstat().st_mode & 0o077 and not path.is_symlink()
    ]
    assert opened == []


def test_long_running_program_has_no_dead_children(client: Client) -> None:
    for _ in range(2):
        client.wait(client.launch("Say hello.").id)

    def has_none() -> bool:
        client.sessions()
        return not [each for each in psutil.Process().children() if each.status() == psutil.STATUS_ZOMBIE]

    eventually(has_none, "all children to be reaped")


def test_import_loads_nothing_else() -> None:
    program = (
        "import hldctl, sys; print([name for name in sys.modules if name.startswith(('hldctl.', 'typer', 'peewee'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['hldctl.version']"


def test_every_public_name_can_be_imported() -> None:
    for name in set(hldctl.__all__) - {"__version__"}:
        assert getattr(hldctl, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        hldctl.Cleint  # noqa: B018
