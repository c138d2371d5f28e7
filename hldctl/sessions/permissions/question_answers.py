"""Answers to the model's questions, as a user types them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from hldctl.claude import questions
from hldctl.claude.questions import Answers, Question, UnfitChoiceError
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import answers
from hldctl.sessions.permissions.answers import Decision
from hldctl.states import ApprovalKind
from hldctl.store.approvals import Approval
from hldctl.store.database import open_database


def answer_question(
    state: StateDirectory, prefix: str, choices: Sequence[str], numbered: Mapping[int, Sequence[str]], command: str
) -> Approval:
    """Answer a request with questions and return it. `command` is the hldctl command that answers, for the record.

    `choices` answer its only question; `numbered` those with these numbers, from 1. Raise BadUsage for choices that do
    not fit, and for a request that is not a question; WrongState as `answers.answer_request` does.
    """
    with open_database(state):
        request = answers.find_pending(state, prefix)
        require_question(request)
        tool_input = json.loads(request.tool_input)
        chosen = _chosen_answers(request, questions.parse_questions(tool_input), choices, numbered)
        decision = Decision(allows=True, updated_input=questions.answered_input(tool_input, chosen))
        return answers.answer_request(state, request.id, decision, command)


def require_question(request: Approval) -> None:
    """Raise BadUsage if the request does not ask a question."""
    if request.kind is not ApprovalKind.QUESTION:
        subject = "a plan" if request.kind is ApprovalKind.PLAN else "a tool call"
        raise BadUsage(
            f"The request {request.id} is about {subject}, not a question; use `hldctl approve` or `hldctl deny`."
        )


def _chosen_answers(
    request: Approval, asked: Sequence[Question], choices: Sequence[str], numbered: Mapping[int, Sequence[str]]
) -> Answers:
    by_number = dict(numbered)
    if choices:
        if len(asked) > 1 or numbered:
            raise BadUsage(
                f"The request {request.id} asks {len(asked)} questions; answer each with --question N=CHOICE."
            )
        by_number = {1: choices}
    if unknown := [number for number in by_number if not 1 <= number <= len(asked)]:
        raise BadUsage(f"The request {request.id} has no question {unknown[0]}; it asks {len(asked)}.")
    if missing := [number for number in range(1, len(asked) + 1) if number not in by_number]:
        question = asked[missing[0] - 1].question
        raise BadUsage(f"Question {missing[0]}, {question!r}, has no answer; add --question {missing[0]}=CHOICE.")
    try:
        return {
            question.question: questions.choose(question, by_number[number]) for number, question in enumerate(asked, 1)
        }
    except UnfitChoiceError as error:
        raise BadUsage(f"{str(error)[0].upper()}{str(error)[1:]}.") from None
