"""Answers to the model's questions: which choices fit, and what is read back from the input of the tool."""

from __future__ import annotations

import pytest

from hldctl.claude.questions import (
    Answer,
    Answers,
    Option,
    Question,
    UnfitChoiceError,
    answered_input,
    answers_in,
    choose,
    parse_questions,
)


def question(*labels: str, is_multiple: bool = False) -> Question:
    return Question("Which?", "Which", is_multiple, tuple(Option(label, "") for label in labels))


SIZES = question("S", "M", "L", is_multiple=True)


@pytest.mark.parametrize(
    ("asked", "choices", "answer"),
    [
        (question("Red", "Blue"), ["2"], ["Blue"]),
        (question("Red", "Blue"), ["#1"], ["Red"]),
        (question("Red", "Blue"), [" red "], ["Red"]),
        (question("Red", "Blue"), ["dark red"], "dark red"),
        (question("Red", "Blue"), ["=3"], "3"),
        (question("red", "Red"), ["Red"], ["Red"]),
        (question("8", "16"), ["16"], ["16"]),
        (question("1", "2"), ["2"], ["2"]),
        (question("2", "4"), ["#2"], ["4"]),
        (question(), ["a text"], "a text"),
        (SIZES, ["1", "L", "1"], ["S", "L"]),
        (SIZES, ["1,3"], ["S", "L"]),
        (SIZES, ["S, L and XL"], "S, L and XL"),
    ],
)
def test_choices_are_numbers_labels_or_one_text(asked: Question, choices: list[str], answer: Answer) -> None:
    assert choose(asked, choices) == answer


@pytest.mark.parametrize(
    ("asked", "choices", "message"),
    [
        (question("Red", "Blue"), ["3"], "has 2"),
        (question("Red", "Blue"), ["0"], "has 2"),
        (question("Red", "Blue"), ["1", "2"], "one choice"),
        (question("Red", "Blue"), [" "], "empty"),
        (question("Red", "Blue"), [], "empty"),
        (question("2", "4"), ["2"], "the number of choice #2"),
        (SIZES, ["1", "XL"], "'XL' is not a choice"),
        (SIZES, ["1,4"], "has 3"),
    ],
)
def test_choices_that_do_not_fit_are_refused(asked: Question, choices: list[str], message: str) -> None:
    with pytest.raises(UnfitChoiceError, match=message):
        choose(asked, choices)


@pytest.mark.parametrize(
    "answers",
    [{"Which?": ["a, b", "c"]}, {"Which?": ["c"]}, {"Which?": "a text, and more"}, {"Which?": ["a", "c", "a, b"]}],
)
def test_answers_are_read_back(answers: Answers) -> None:
    options = [{"label": label} for label in ("a", "a, b", "c")]
    tool_input = {"questions": [{"question": "Which?", "multiSelect": True, "options": options}]}
    assert answers_in(answered_input(tool_input, answers)) == answers


def test_what_is_not_a_question_is_ignored() -> None:
    tool_input = {"questions": [1, {"question": 2}, {"question": "Which?", "options": [{"label": 3}, "x"]}]}
    assert parse_questions(tool_input) == (Question("Which?", "", False, ()),)
    assert answers_in({"answers": "all"}) is None
