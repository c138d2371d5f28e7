"""The syntax of one step of a rehearsal script. Errors say what is accepted; the parser of scripts adds the line."""

from __future__ import annotations

import json
import re

from hldctl.rehearsal.steps import (
    Ask,
    AwaitMessage,
    Call,
    Fail,
    Hang,
    Limit,
    Model,
    Option,
    Plan,
    Question,
    Say,
    Step,
    Think,
    Usage,
    Wait,
)

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_MULTIPLES = {"": 1, "k": 1_000, "M": 1_000_000}
_TOKENS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache-read": "cache_read_input_tokens",
    "cache-write": "cache_creation_input_tokens",
}
_WORDS = "say, think, call, ask, plan, await message, usage, model, wait, fail, limit or hang"
# What the tool accepts (2.1.332).
_MAX_QUESTIONS = 4
_OPTIONS = range(2, 5)
_DEFAULT_HEADER = "Question"
_QUESTION = re.compile(r"(?:\[(?P<header>[^\]]{1,12})\] +)?(?P<text>[^\[\s].*)")
_OPTION = re.compile(r"- (?P<box>\[ \] )?(?P<label>.+?)(?:: +(?P<description>.*))?")
_ASK_SYNTAX = "write ask QUESTION, and below it indented options: - LABEL: DESCRIPTION"


class StepError(ValueError):
    """A step that cannot be parsed."""


def parse_step(line: str) -> Step:
    """Return the step on this line, to which its continuation lines have been joined. Raise StepError."""
    word, rest = _split_word(line)
    match word:
        case "say":
            return Say(rest)
        case "think":
            return Think(rest)
        case "call":
            return _call(rest)
        case "ask":
            return Ask((_question(rest),))
        case "plan" if rest:
            return Plan(rest)
        case "plan":
            raise StepError("write plan TEXT, or plan <<END, the lines of the plan, and END")
        case "await":
            return _await_message(rest)
        case "usage":
            return _usage(rest)
        case "model":
            return _model(rest)
        case "wait":
            return Wait(_seconds(rest))
        case "fail":
            return _fail(rest)
        case "limit":
            return Limit(_seconds(rest))
        case "hang":
            return _hang(rest)
    raise StepError(f"unknown step {word!r}; use {_WORDS}")


def _split_word(line: str) -> tuple[str, str]:
    """Return the first word and what follows it, without the character that separates them."""
    word, *rest = re.split(r"\s", line, maxsplit=1)
    return word, "".join(rest)


def join_questions(first: Ask, second: Ask) -> Ask:
    """Return the questions of two steps as one call of the tool."""
    questions = (*first.questions, *second.questions)
    if len(questions) > _MAX_QUESTIONS:
        raise StepError(f"one answer can ask {_MAX_QUESTIONS} questions at most; begin another one with a blank line")
    if len({question.text for question in questions}) < len(questions):
        raise StepError("the question is asked twice; the answers could not be told apart")
    return Ask(questions)


def _call(rest: str) -> Call:
    tool, raw = _split_word(rest)
    try:
        tool_input = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise StepError(f"the input of {tool!r} is not JSON: {error}; write call TOOL JSON") from None
    if not isinstance(tool_input, dict):
        raise StepError(f"the input of {tool!r} must be a JSON object")
    return Call(tool, tool_input)


def _question(rest: str) -> Question:
    first, *lines = re.split(r"\n(?=- )", rest)
    match = _QUESTION.fullmatch(first.replace("\n", " "))
    if match is None:
        raise StepError(f"{_ASK_SYNTAX}; a heading of at most 12 characters may precede the question: ask [Size] …")
    options = [_OPTION.fullmatch(line.replace("\n", " ")) for line in lines]
    if len(options) not in _OPTIONS or None in options:
        raise StepError(f"a question needs two to four options; {_ASK_SYNTAX}")
    found = [option for option in options if option is not None]
    boxes = {option["box"] is not None for option in found}
    if len(boxes) > 1:
        raise StepError("either all options have a box, - [ ] LABEL, for a multiple choice, or none has one")
    return Question(
        match["text"],
        match["header"] or _DEFAULT_HEADER,
        tuple(Option(option["label"], option["description"] or "") for option in found),
        boxes.pop(),
    )


def _await_message(rest: str) -> AwaitMessage:
    word, text = _split_word(rest)
    if word != "message":
        raise StepError("write await message, or await message TEXT for one that contains TEXT")
    return AwaitMessage(text.strip())


def _usage(rest: str) -> Usage:
    tokens: dict[str, int] = {}
    for item in rest.split() or [""]:
        match = re.fullmatch(r"([a-z-]+)=(\d{1,9}|\d{1,6}\.\d{1,3}(?=[kM]))([kM]?)", item)
        if match is None or match[1] not in _TOKENS:
            names = ", ".join(_TOKENS)
            raise StepError(f"{item!r} is not a number of tokens; write usage NAME=NUMBER… with the names {names}")
        tokens[_TOKENS[match[1]]] = round(float(match[2]) * _MULTIPLES[match[3]])
    return Usage(tokens)


def _model(rest: str) -> Model:
    if not re.fullmatch(r"\S+", rest):
        raise StepError("write model NAME, such as: model claude-haiku-4-5")
    return Model(rest)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)(ms|s|m)", text.strip())
    if not match:
        raise StepError(f"{text!r} is not a duration; write 200ms, 2s or 1m")
    return float(match[1]) * _UNITS[match[2]]


def _hang(rest: str) -> Hang:
    match = re.fullmatch(r"(?:x(\d{1,9}))?", rest)
    if not match:
        raise StepError("write hang, or hang x2 for a script that continues after two requests")
    return Hang(int(match[1]) if match[1] else None)


def _fail(rest: str) -> Fail:
    match = re.fullmatch(r"([45]\d\d)(?: x(\d{1,9}))?(?: (.*))?", rest, re.DOTALL)
    if not match:
        raise StepError("write fail STATUS MESSAGE, such as: fail 529 Overloaded")
    return Fail(int(match[1]), match[3] or "rehearsed failure", int(match[2]) if match[2] else None)
