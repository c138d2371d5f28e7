"""The model's questions and their answers as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hldctl.claude import permission_hook, questions
from hldctl.claude.questions import Question
from hldctl.cli import output
from hldctl.cli.render.requests.line import Line
from hldctl.store.approvals import Approval


def request_lines(tool_input: dict[str, Any]) -> Iterator[Line]:
    """Yield each question with its numbered choices, and its answer if it has one."""
    asked = questions.parse_questions(tool_input)
    answers = questions.answers_in(tool_input) or {}
    for number, question in enumerate(asked, 1):
        yield from question_lines(question, number if len(asked) > 1 else None)
        if (answer := answers.get(question.question)) is not None:
            yield Line(f"→ {_one_line(questions.answer_text(answer))}", "green")


def answer_lines(tool_input: dict[str, Any]) -> Iterator[Line]:
    """Yield each answer, after its question if there are several."""
    answers = questions.answers_in(tool_input) or {}
    for question, answer in answers.items():
        text = _one_line(questions.answer_text(answer))
        yield Line(f"{_one_line(question)} → {text}" if len(answers) > 1 else f"→ {text}")


def question_lines(question: Question, number: int | None = None) -> Iterator[Line]:
    """Yield a question with its number, if it is one of several, and its numbered choices."""
    first, *others = output.escape_invisible(question.question).split("\n")
    label = f"question {number}: " if number is not None else ""
    yield Line(f"{label}{first}", "bold")
    yield from (Line(f"  {line}", "bold") for line in others)
    for index, option in enumerate(question.options, 1):
        description = f": {_one_line(option.description)}" if option.description else ""
        yield Line(f"  {index}. {_one_line(option.label)}{description}")
    if question.is_multiple:
        yield Line("  several choices are possible", "dim")


def one_line(request: Approval) -> str:
    """Return the questions of a request with their choices on one line."""
    return input_line(request.tool_input)


def input_line(tool_input: str | None) -> str:
    """Return the questions in the input of a call, as JSON, with their choices on one line."""
    value = json.loads(tool_input or "null")
    asked = questions.parse_questions(value if isinstance(value, dict) else {})
    return " / ".join(f"{_one_line(question.question)}{_choices(question)}" for question in asked)


def answers_line(request: Approval) -> str:
    """Return the answers to a request on one line, with the questions if it asks several; empty without answers."""
    answers = questions.answers_in(permission_hook.updated_input(json.loads(request.answer or "null"))) or {}
    texts = [_one_line(questions.answer_text(answer)) for answer in answers.values()]
    if len(texts) < 2:
        return "".join(texts)
    return " / ".join(f"{_one_line(name)} {text}" for name, text in zip(answers, texts, strict=True))


def _choices(question: Question) -> str:
    labels = (f"{index} {_one_line(option.label)}" for index, option in enumerate(question.options, 1))
    return f" ({', '.join(labels)})" if question.options else ""


def _one_line(text: str) -> str:
    return output.escape_invisible_line(text)
