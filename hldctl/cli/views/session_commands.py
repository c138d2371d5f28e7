"""What a person does to sessions from a view: here, or, for a session of another machine, by a command of its own.

The command asks the other machine through the fleet's record.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from hldctl.claude import questions
from hldctl.cli.click_classes import command_name
from hldctl.errors import UnfitEnvironment, error_from_exit_code
from hldctl.paths import StateDirectory
from hldctl.sessions import interrupt
from hldctl.sessions.permissions import answers
from hldctl.sessions.permissions.answers import Decision
from hldctl.store.approvals import Approval, input_sha256

SHOWN = "HLDCTL_SHOWN_SHA256"
"""The variable with the SHA-256 of the input that the person saw who answers."""
# Nothing is drawn in this time. The command withdraws then what it has asked.
_ANSWER_SECONDS = 20


def answer(state: StateDirectory, request: Approval, decision: Decision) -> None:
    """Answer a request; raise an HldctlError if that is refused."""
    if not state.is_replica:
        answers.answer_request(state, request.id, decision, command_name())
        return
    digest = input_sha256(request.tool_input)
    _run(_words(request, decision), {SHOWN: digest})


def _words(request: Approval, decision: Decision) -> list[str]:
    """Return the command that answers the request."""
    if (given := questions.answers_in(decision.updated_input)) is not None:
        words = ["answer", request.id]
        for number, question in enumerate(questions.parse_questions(json.loads(request.tool_input)), 1):
            answers_given = given.get(question.question, [])
            for each in [answers_given] if isinstance(answers_given, str) else answers_given:
                words += ["--question", f"{number}={each}"]
        return words
    words = ["approve" if decision.allows else "deny", request.id]
    words += [] if decision.comment is None else ["--comment", decision.comment]
    words += [] if decision.updated_input is None else ["--input", json.dumps(decision.updated_input)]
    words += ["--always"] if decision.always else []
    return words + (["--interrupt"] if decision.interrupts else [])


def interrupt_session(state: StateDirectory, session_id: str) -> None:
    """Begin to interrupt a session; raise an HldctlError if that is refused."""
    if state.is_replica:
        _run(["interrupt", session_id, "--no-wait"], {})
    else:
        interrupt.interrupt_sessions(state, [session_id], await_end=False)


def _run(words: list[str], variables: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "hldctl", *words],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, errors = process.communicate(timeout=_ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.communicate()
        raise UnfitEnvironment(f"Its machine did not answer for {_ANSWER_SECONDS} s; nothing was done.") from None
    if process.returncode:
        lines = [line.removeprefix("hldctl: ") for line in errors.splitlines() if line.strip()]
        raise error_from_exit_code(process.returncode, lines[-1] if lines else "It failed.")
