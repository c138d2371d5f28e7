from __future__ import annotations

import json

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hldctl.store.search.terms import Term, parse
from hldctl.store.search.text import Excerpt, Tokenizer, excerpt, searched_text

TOKENIZER = Tokenizer(
    apsw.Connection(":memory:").fts5_tokenizer("unicode61", ["remove_diacritics", "2"]), apsw.FTS5_TOKENIZE_DOCUMENT
)


def words_at(found: Excerpt | None) -> list[str]:
    assert found is not None
    return [found.text[first:last] for first, last in found.matches]


def test_escapes_in_the_input_of_a_tool_are_not_parts_of_words() -> None:
    tool_input = json.dumps({"command": "cat a\nfind b", "options": [{"depth": 3}], "is_long": True})
    assert searched_text(None, tool_input, None) == "cat a\nfind b\n3"


def test_excerpt_is_one_line_with_the_words_marked() -> None:
    found = excerpt("first\n\n  Run the  Parser,\nthen the parsér.", parse("parser run", TOKENIZER.words), TOKENIZER)
    assert found == Excerpt("first Run the Parser, then the parsér.", ((6, 9), (14, 20), (31, 37)))


def test_excerpt_of_a_long_text_is_around_the_match() -> None:
    text = "begin " * 40_000 + "a needle here " + "end " * 40_000
    found = excerpt(text, parse("needle", TOKENIZER.words), TOKENIZER)
    assert words_at(found) == ["needle"]
    assert found is not None
    assert found.text.startswith("…begin ")
    assert found.text.endswith("end…")
    assert len(found.text) < 220


def test_excerpt_is_where_most_words_are() -> None:
    text = "alpha " + "x " * 500 + "alpha and beta " + "x " * 500
    found = excerpt(text, parse("alpha beta", TOKENIZER.words), TOKENIZER)
    assert words_at(found) == ["alpha", "beta"]


def test_phrase_across_two_parts_of_a_long_text_is_found() -> None:
    text = "x" * 65_000 + " red green blue " + "y " * 50_000
    found = excerpt(text, [Term(("red", "green", "blue"))], TOKENIZER)
    assert words_at(found) == ["red green blue"]
    for length in range(65_525, 65_540):
        assert excerpt("x" * length + " red green", [Term(("red", "green"))], TOKENIZER) is not None


def test_text_without_one_of_the_words_has_no_excerpt() -> None:
    assert excerpt("alpha beta", parse("alpha gamma", TOKENIZER.words), TOKENIZER) is None
    assert excerpt("alphabet", parse("alpha", TOKENIZER.words), TOKENIZER) is None


@pytest.mark.parametrize("search", ["alph*", '"one alph"*'])
def test_beginning_of_a_word_marks_the_word(search: str) -> None:
    found = excerpt("one alphabet", parse(search, TOKENIZER.words), TOKENIZER)
    assert words_at(found)[0].endswith("alphabet")


@settings(deadline=None)
@given(before=st.text(), after=st.text())
def test_excerpt_of_any_text_marks_the_word(before: str, after: str) -> None:
    found = excerpt(f"{before} needle {after}", parse("needle", TOKENIZER.words), TOKENIZER)
    assert words_at(found).count("needle") >= 1
    assert found is not None
    assert "\n" not in found.text
