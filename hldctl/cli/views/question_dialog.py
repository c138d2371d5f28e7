"""The questions of one request, asked one after another."""

from __future__ import annotations

import json
from typing import Any

from hldctl.claude import questions
from hldctl.claude.questions import Answers, Question, UnfitChoiceError
from hldctl.cli.render.requests import permission_request, question_text
from hldctl.cli.render.requests.line import Line
from hldctl.store.approvals import Approval
from hldctl.store.session import Session


class QuestionDialog:
    """The questions of a request, and the answers given so far."""

    def __init__(self, request: Approval) -> None:
        self._tool_input: dict[str, Any] = json.loads(request.tool_input)
        self._asked = questions.parse_questions(self._tool_input)
        self._answers: Answers = {}

    @property
    def current(self) -> Question | None:
        """The question to be answered next; None if all are answered."""
        return next((question for question in self._asked if question.question not in self._answers), None)

    @property
    def updated_input(self) -> dict[str, Any]:
        """The input of the tool with the answers."""
        return questions.answered_input(self._tool_input, self._answers)

    @property
    def choices(self) -> str:
        """What the current question can be answered with."""
        question = self.current
        if question is None or not question.options:
            return "a text"
        numbers = f"1-{len(question.options)}" if len(question.options) > 1 else "1"
        return f"{numbers}{', several with commas,' if question.is_multiple else ''} or a text"

    def lines(self, request: Approval, session: Session | None) -> list[Line]:
        """Return the current question; the first one below the heading of the request."""
        question = self.current
        heading = [] if self._answers else list(permission_request.heading(request, session))
        if question is None:
            return heading
        number = self._asked.index(question) + 1 if len(self._asked) > 1 else None
        return [*heading, *question_text.question_lines(question, number)]

    def is_choice(self, typed: str) -> bool:
        """Return whether the current question has this number or label."""
        try:
            return self.current is not None and isinstance(questions.choose(self.current, [typed]), list)
        except UnfitChoiceError:
            return False

    def answer(self, typed: str) -> str:
        """Answer the current question, and return the answer as text. Raise UnfitChoiceError if it does not fit."""
        question = self.current
        assert question is not None
        if len(typed) == 1 and not typed.isdecimal() and not self.is_choice(typed):
            # It was probably meant for another prompt.
            raise UnfitChoiceError(f"{typed!r} is not an answer; ? explains the answers")
        answer = questions.choose(question, [typed])
        self._answers[question.question] = answer
        return questions.answer_text(answer)
