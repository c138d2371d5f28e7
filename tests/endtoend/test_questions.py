"""Questions and plans of the real Claude Code, answered by a command, at a terminal, or not at all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.helpers.approvals import (
    TOUCH_SCRIPT,
    all_requests,
    events_of_type,
    feed_events,
    launch_with_approvals,
    wait_for_requests,
)
from tests.helpers.sandbox import TIMEOUT_SECONDS, Json, Sandbox, eventually, kill
from tests.helpers.terminal import Terminal

PLAN_FILE = re.compile(r'"planFilePath":"([^"]+)"')
COLOUR = {
    "question": "Which colour?",
    "header": "Colour",
    "multiSelect": False,
    "options": [{"label": "Red", "description": "like fire"}, {"label": "Blue", "description": "like water"}],
}
SIZES = {
    "question": "Which sizes?",
    "header": "Size",
    "multiSelect": True,
    "options": [{"label": size, "description": f"size {size}"} for size in ("S", "M", "L")],
}


def ask(*questions: object) -> str:
    """Return a script in which the model asks these questions."""
    return f"call AskUserQuestion {json.dumps({'questions': questions})}\n\nsay Done."


def result(sandbox: Sandbox, session_id: str) -> str:
    """Return what the model got as the result of its only tool call."""
    (event,) = events_of_type(sandbox, session_id, "tool_result")
    return str(event["tool_result_content"])


def launch_asking(sandbox: Sandbox, *questions: object, options: tuple[str, ...] = ()) -> tuple[str, Json]:
    """Return a session that asks these questions, and its request."""
    session_id = launch_with_approvals(sandbox, ask(*questions), *options)
    return session_id, wait_for_requests(sandbox)[0]


def test_question_is_visible_everywhere_until_it_is_answered(sandbox: Sandbox) -> None:
    session_id, request = launch_asking(sandbox, COLOUR)
    assert (request["kind"], request["answers"], request["status"]) == ("question", None, "pending")
    assert request["questions"] == [
        {
            "question": "Which colour?",
            "header": "Colour",
            "multi_select": False,
            "options": COLOUR["options"],
        }
    ]
    assert sandbox.show(session_id)["status"] == "waiting_input"
    short = request["id"][:8]
    shown = sandbox.ok("show", session_id)
    assert f"waiting for an answer       {short}: Which colour? (1 Red, 2 Blue), since" in shown
    assert "Hi (asks: Which colour?, " in sandbox.ok("ls")
    assert "Waiting for an answer: not ended yet" in sandbox.ok("export", session_id)
    assert "2. Blue: like water" in sandbox.ok("approvals", short)
    with sandbox.popen("tail", "-f", session_id) as follower:
        assert follower.stdout is not None
        lines = [follower.stdout.readline() for _ in range(3)]
        assert sandbox.ok("answer", short, "2") == f"{request['id']}\n"
        rest = follower.communicate(timeout=TIMEOUT_SECONDS)[0]
    assert f"asks {short}: Which colour? (1 Red, 2 Blue)" in lines[2]
    assert f"answered {short} by" in rest
    assert "result: Which colour? → Blue" in rest
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert '"Which colour?"="Blue"' in result(sandbox, session_id)
    (answered,) = all_requests(sandbox)
    assert (answered["status"], answered["answers"]) == ("approved", {"Which colour?": ["Blue"]})
    assert "→ Blue" in sandbox.ok("approvals", short)
    statuses = [event["data"]["new_status"] for event in feed_events(sandbox, "session_status_changed")]
    assert statuses == ["starting", "running", "waiting_input", "running", "completed"]
    document = sandbox.ok("export", session_id)
    assert "- Blue: like water" in document
    assert "Which colour? → Blue" in document


def test_several_questions_are_answered_by_number(sandbox: Sandbox) -> None:
    session_id, request = launch_asking(sandbox, COLOUR, SIZES)
    refused = sandbox.run("answer", request["id"], "1")
    assert (refused.returncode, "--question N=CHOICE" in refused.stderr) == (2, True)
    choices = ("1=purple, please", "2=l", "2=1")
    options = [option for choice in choices for option in ("--question", choice)]
    answered = json.loads(sandbox.ok("answer", request["id"], *options, "--json"))
    assert answered["answers"] == {"Which colour?": "purple, please", "Which sizes?": ["L", "S"]}
    sandbox.wait_for_end(session_id)
    assert '"Which colour?"="purple, please", "Which sizes?"="L, S"' in result(sandbox, session_id)


UNFIT = [
    (["answer", "ID", "3"], "'3' is not a choice of 'Which colour?', which has 2"),
    (["answer", "ID", "1", "2"], "takes one choice"),
    (["answer", "ID", ""], "empty"),
    (["answer", "ID"], "Give a choice"),
    (["answer", "ID", "--question", "2=Red"], "has no question 2"),
    (["answer", "ID", "--question", "Red"], "N=CHOICE"),
    (["approve", "ID"], "hldctl answer"),
    (["approve", "ID", "--input", '{"questions": []}'], "hldctl answer"),
]


def test_unfit_answers_are_errors_of_one_line(sandbox: Sandbox) -> None:
    session_id, request = launch_asking(sandbox, COLOUR)
    for arguments, message in UNFIT:
        done = sandbox.run(*[argument.replace("ID", request["id"]) for argument in arguments])
        assert (done.returncode, message in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr
    assert all_requests(sandbox)[0]["status"] == "pending"
    assert sandbox.run("answer", "ffff", "1").returncode == 3
    sandbox.ok("interrupt", session_id)
    assert sandbox.run("answer", request["id"], "1").returncode == 4


def test_question_answered_at_once_has_one_answer(sandbox: Sandbox) -> None:
    session_id, request = launch_asking(sandbox, COLOUR)
    commands = [sandbox.popen("answer", request["id"], choice) for choice in ("1", "2", "mauve")]
    errors = [command.communicate(timeout=TIMEOUT_SECONDS)[1] for command in commands]
    codes = [command.returncode for command in commands]
    assert sorted(codes) == [0, 4, 4]
    assert all("was answered by" in text for text, code in zip(errors, codes, strict=True) if code == 4)
    assert sandbox.run("deny", request["id"]).returncode == 4
    sandbox.wait_for_end(session_id)


def test_question_can_be_denied_with_a_message(sandbox: Sandbox) -> None:
    session_id, request = launch_asking(sandbox, COLOUR)
    left = sandbox.run("approve", "--all")
    assert (left.returncode, f"hldctl answer {request['id'][:8]}" in left.stderr) == (0, True)
    sandbox.ok("deny", request["id"], "--message", "Decide yourself.")
    sandbox.wait_for_end(session_id)
    assert result(sandbox, session_id) == "Decide yourself."


@pytest.mark.parametrize(
    ("timeout", "status", "answers", "text"),
    [
        ("1s=first", "approved", {"Which colour?": ["Red"], "Which sizes?": ["S"]}, '"Which colour?"="Red"'),
        ("1s=deny", "denied", None, "Nobody answered the question in time."),
    ],
)
def test_unanswered_question_gets_the_configured_answer(
    sandbox: Sandbox, timeout: str, status: str, answers: Json | None, text: str
) -> None:
    session_id = launch_with_approvals(sandbox, ask(COLOUR, SIZES), "--question-timeout", timeout)
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    (request,) = all_requests(sandbox)
    assert (request["status"], request["answers"]) == (status, answers)
    assert "by --question-timeout" in request["comment"]
    assert text in result(sandbox, session_id)


def test_approval_timeout_denies_a_question(sandbox: Sandbox) -> None:
    launch_with_approvals(sandbox, ask(COLOUR), "--approval-timeout", "1s=allow")
    eventually(lambda: [each for each in all_requests(sandbox) if each["status"] == "denied"], "the denial")


def test_question_is_asked_although_permissions_are_skipped(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, ask(COLOUR), "--dangerously-skip-permissions")
    (request,) = wait_for_requests(sandbox)
    sandbox.ok("answer", request["id"], "Red")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"


@pytest.mark.parametrize("options", [["--no-approvals"], ["--no-approvals", "--auto-accept-edits"]])
def test_question_is_not_offered_without_approvals(sandbox: Sandbox, options: list[str]) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Hi", *options)
    sandbox.wait_for_end(session_id)
    assert '"AskUserQuestion"' not in sandbox.files(session_id).journal.read_text()


def test_users_command_gets_the_question_and_can_answer_it(sandbox: Sandbox) -> None:
    command = 'cat > asked; hldctl answer "$HLDCTL_APPROVAL_ID" Blue'
    session_id = launch_with_approvals(sandbox, ask(COLOUR), "--on-approval", command)
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert all_requests(sandbox)[0]["answers"] == {"Which colour?": ["Blue"]}
    asked = json.loads((sandbox.work / "asked").read_text())
    assert (asked["kind"], asked["questions"][0]["question"]) == ("question", "Which colour?")


def test_session_cannot_answer_its_own_question(sandbox: Sandbox) -> None:
    session_id, request = launch_asking(sandbox, COLOUR)
    refused = sandbox.run("answer", request["id"], "1", environment={"HLDCTL_SESSION_ID": session_id})
    assert (refused.returncode, "from within session" in refused.stderr) == (4, True)
    sandbox.ok("interrupt", session_id)


@pytest.mark.parametrize(
    ("command", "term"),
    [(["tail", "-f", "last"], "xterm-256color"), (["approve"], "dumb"), (["answer", "ID"], "xterm-256color")],
    ids=["tail", "approve", "answer"],
)
def test_questions_are_asked_in_place(sandbox: Sandbox, command: list[str], term: str) -> None:
    session_id, request = launch_asking(sandbox, COLOUR, SIZES)
    sandbox.environment["TERM"] = term
    with Terminal(sandbox, *[word.replace("ID", request["id"]) for word in command]) as terminal:
        terminal.wait_for_output("question 1: Which colour?")
        terminal.wait_for_output("[q]uit")
        terminal.enter("7\n")
        terminal.wait_for_output("is not a choice")
        terminal.enter("2\n")
        terminal.wait_for_output("question 2: Which sizes?")
        terminal.enter("1,3\n")
        assert terminal.wait_for_exit()[0] == 0
    sandbox.wait_for_end(session_id)
    assert all_requests(sandbox)[0]["answers"] == {"Which colour?": ["Blue"], "Which sizes?": ["S", "L"]}


def test_top_asks_a_question(sandbox: Sandbox) -> None:
    session_id, _ = launch_asking(sandbox, COLOUR)
    with Terminal(sandbox, "top", columns=140, lines=20) as terminal:
        terminal.wait_for_screen("asks: Which colour?")
        terminal.enter("a")
        terminal.wait_for_screen("2. Blue")
        terminal.enter("Blue\n")
        sandbox.wait_for_end(session_id)
        terminal.wait_for_screen("no session is running")
        terminal.enter("q")
        assert terminal.wait_for_exit()[0] == 0
    assert all_requests(sandbox)[0]["answers"] == {"Which colour?": ["Blue"]}


def test_terminal_shows_that_a_session_waits_for_an_answer(sandbox: Sandbox) -> None:
    session_id, _ = launch_asking(sandbox, COLOUR)
    with Terminal(sandbox, "show", session_id, columns=140, lines=30) as terminal:
        screen = terminal.wait_for_screen("asks: Which colour?")
        assert any("● waiting for an answer" in line for line in screen)
    with Terminal(sandbox, "tail", "-f", session_id, columns=140, lines=30) as terminal:
        terminal.wait_for_screen("waiting for an answer: Which colour? ")


def plan_files(sandbox: Sandbox, session_id: str) -> list[str]:
    """Return the path of the file in which Claude Code expects the plan, once it has chosen it."""
    transcripts = sandbox.home.rglob(f"{session_id}.jsonl")
    return [path for transcript in transcripts for path in PLAN_FILE.findall(transcript.read_text())]


def launch_planning(sandbox: Sandbox, *options: str) -> tuple[str, Json]:
    """Return a session whose plan waits for approval, and its request."""
    sandbox.serve_script(
        'call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done"}\n\ncall ExitPlanMode {}\n\nsay Done.'
    )
    options = ("--permission-mode", "plan", "--allowed-tools", "Bash", *options)
    session_id = sandbox.launch("Hi", "--approvals", *options)
    sandbox.wait_for_journal(session_id, "go-on")
    plan = Path(eventually(lambda: plan_files(sandbox, session_id), "the plan file in the transcript")[0])
    plan.parent.mkdir(exist_ok=True)
    plan.write_text("# Plan\n\n1. Touch it\n")
    sandbox.release()
    return session_id, wait_for_requests(sandbox)[0]


def test_plan_is_approved(sandbox: Sandbox) -> None:
    session_id, request = launch_planning(sandbox)
    assert (request["kind"], request["questions"], request["answers"]) == ("plan", None, None)
    assert "1. Touch it" in sandbox.ok("approvals", request["id"])
    assert "Hi (waiting for approval of its plan, " in sandbox.ok("ls")
    with Terminal(sandbox, "show", session_id, columns=140, lines=30) as terminal:
        screen = terminal.wait_for_screen("asks to approve its plan: # Plan 1. Touch it")
        assert any("● waiting for approval of its plan" in line for line in screen)
    refused = sandbox.run("answer", request["id"], "yes")
    assert (refused.returncode, "hldctl approve" in refused.stderr) == (2, True)
    sandbox.ok("approve", request["id"])
    sandbox.wait_for_end(session_id)
    assert "approved your plan" in events_of_type(sandbox, session_id, "tool_result")[-1]["tool_result_content"]
    assert all_requests(sandbox)[0]["updated_input"] is None


def test_plan_is_denied_at_a_terminal(sandbox: Sandbox) -> None:
    session_id, _ = launch_planning(sandbox)
    with Terminal(sandbox, "approve") as terminal:
        terminal.wait_for_output("1. Touch it")
        terminal.wait_for_output("Approve the plan? [y]es, [n]o, [s]kip")
        terminal.enter("n\n")
        terminal.wait_for_output("Message to the model")
        terminal.enter("Shorter.\n")
        assert terminal.wait_for_exit()[0] == 0
    sandbox.wait_for_end(session_id)
    assert events_of_type(sandbox, session_id, "tool_result")[-1]["tool_result_content"] == "Shorter."


def test_plan_is_approved_by_a_rule(sandbox: Sandbox) -> None:
    session_id, _ = launch_planning(sandbox)
    sandbox.ok("set", session_id, "--dangerously-skip-permissions")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert all_requests(sandbox)[-1]["comment"] == "allowed by dangerously_skip_permissions"


def test_answer_of_a_killed_hook_takes_effect(sandbox: Sandbox) -> None:
    session_id, request = launch_asking(sandbox, COLOUR)
    hooks = sandbox.processes_with_argument("hldctl/permission_hook")
    for hook in hooks:
        hook.suspend()
    sandbox.ok("answer", request["id"], "Blue")
    kill(hooks)
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert '"Which colour?"="Blue"' in result(sandbox, session_id)


def test_killed_hook_is_a_denial(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    wait_for_requests(sandbox)
    kill(sandbox.processes_with_argument("hldctl/permission_hook"))
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert "gave no answer" in result(sandbox, session_id)
    assert not (sandbox.work / "made").exists()
    assert all_requests(sandbox)[0]["status"] == "expired"


def test_killed_hook_and_supervisor_are_a_denial(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    wait_for_requests(sandbox)
    kill(sandbox.supervisors())
    kill(sandbox.processes_with_argument("hldctl/permission_hook"))
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert not (sandbox.work / "made").exists()
