"""The model's questions to the user and their answers: the tool AskUserQuestion of Claude Code 2.1.332."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hldctl.claude.stream import JsonObject, mapping, sequence, text

_NUMBER = re.compile(r"(#?)(\d{1,9})")
_NUMBERS = re.compile(r"\d{1,9}(?:\s*,\s*\d{1,9})+")
# Claude Code joins the labels of a multiple choice with it.
_SEPARATOR = ", "

Answer = list[str] | str
"""The labels of the choices, or free text."""
Answers = dict[str, Answer]
"""The answers by the text of the question."""


class Option(NamedTuple):
    """A choice that the model offers."""

    label: str
    description: str


class Question(NamedTuple):
    """One of the questions of a request."""

    question: str
    header: str
    is_multiple: bool
    """True if several choices may be taken."""
    options: tuple[Option, ...]


class UnfitChoiceError(ValueError):
    """A choice that does not fit the question; the message is a sentence without its end."""


def parse_questions(tool_input: JsonObject) -> tuple[Question, ...]:
    """Return the questions in the input of the tool, without what is not a question."""
    parsed = (_parse_question(mapping(value)) for value in sequence(tool_input.get("questions")))
    return tuple(question for question in parsed if question.question)


def _parse_question(value: JsonObject) -> Question:
    options = (mapping(option) for option in sequence(value.get("options")))
    return Question(
        text(value.get("question")) or "",
        text(value.get("header")) or "",
        value.get("multiSelect") is True,
        tuple(
            Option(label, text(option.get("description")) or "")
            for option in options
            if (label := text(option.get("label")))
        ),
    )


def choose(question: Question, choices: Sequence[str]) -> Answer:
    """Return the answer that these choices give: numbers or labels, several for a multiple choice; or one free text.

    A text after `=` is never taken for a number or a label. Raise UnfitChoiceError for choices that do not fit.
    """
    if len(choices) == 1 and question.is_multiple and _NUMBERS.fullmatch(choices[0].strip()):
        choices = choices[0].split(",")
    stripped = [choice.strip() for choice in choices]
    if not stripped or not all(stripped):
        raise UnfitChoiceError("an answer is empty")
    if len(stripped) > 1 and not question.is_multiple:
        raise UnfitChoiceError(f"{question.question!r} takes one choice")
    if len(stripped) == 1 and stripped[0].startswith("=") and len(stripped[0]) > 1:
        return stripped[0][1:].strip()
    labels = [_label(question, choice) for choice in stripped]
    if labels == [None]:
        return stripped[0]
    for choice, label in zip(stripped, labels, strict=True):
        if label is None:
            raise UnfitChoiceError(f"{choice!r} is not a choice of {question.question!r}; free text stands alone")
    return list(dict.fromkeys(label for label in labels if label is not None))


def _label(question: Question, choice: str) -> str | None:
    """Return the label that a choice means; None for free text. Raise UnfitChoiceError for a number that is unfit."""
    labels = [option.label for option in question.options]
    named = [label for label in labels if label == choice] or [
        label for label in labels if label.strip().casefold() == choice.casefold()
    ]
    number = _NUMBER.fullmatch(choice)
    if number is None:
        return named[0] if named else None
    index = int(number[2]) - 1
    numbered = labels[index] if 0 <= index < len(labels) else None
    if named and not number[1]:
        if numbered is None or numbered == named[0]:
            return named[0]
        raise UnfitChoiceError(
            f"{choice!r} is the label of choice #{labels.index(named[0]) + 1} and the number of choice #{index + 1}; "
            "write the number with #"
        )
    if numbered is None:
        raise UnfitChoiceError(
            f"{choice!r} is not a choice of {question.question!r}, which has {len(labels)}; write ={choice} for a text"
        )
    return numbered


def first_choices(questions: Sequence[Question]) -> Answers:
    """Return the first choice of each question that has one."""
    return {question.question: [question.options[0].label] for question in questions if question.options}


def answered_input(tool_input: JsonObject, answers: Mapping[str, Answer]) -> JsonObject:
    """Return the input of the tool with the answers, as Claude Code expects them."""
    joined = {name: answer if isinstance(answer, str) else _SEPARATOR.join(answer) for name, answer in answers.items()}
    return {**tool_input, "answers": joined}


def answers_in(updated_input: JsonObject | None) -> Answers | None:
    """Return the answers in the input of an answered request; None if it has none."""
    given = mapping((updated_input or {}).get("answers"))
    if not given:
        return None
    questions = {question.question: question for question in parse_questions(updated_input or {})}
    return {name: _parse_answer(questions.get(name), value) for name, value in given.items()}


def _parse_answer(question: Question | None, value: Any) -> Answer:
    if isinstance(value, list):
        return [str(label) for label in value]
    answer = text(value) or ""
    labels = [option.label for option in question.options] if question is not None else []
    if answer in labels:
        return [answer]
    return (_split_labels(answer, labels) if question is not None and question.is_multiple else None) or answer


def _split_labels(answer: str, labels: Sequence[str]) -> list[str] | None:
    """Return the labels that an answer consists of; None if it contains anything else."""
    for label in sorted(labels, key=len, reverse=True):
        if answer == label:
            return [label]
        if answer.startswith(label + _SEPARATOR):
            rest = _split_labels(answer[len(label + _SEPARATOR) :], labels)
            if rest is not None:
                return [label, *rest]
    return None


def answer_text(answer: Answer) -> str:
    """Return an answer as people read it."""
    return answer if isinstance(answer, str) else _SEPARATOR.join(answer)


def question_object(question: Question) -> JsonObject:
    """Return the JSON object of a question."""
    return {
        "question": question.question,
        "header": question.header,
        "multi_select": question.is_multiple,
        "options": [option._asdict() for option in question.options],
    }
