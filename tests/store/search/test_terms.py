from __future__ import annotations

from collections.abc import Iterator

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hldctl.paths import StateDirectory
from hldctl.store.search.index import SearchIndex, open_index
from hldctl.store.search.matches import Filters, _expression
from hldctl.store.search.terms import Term, as_text, parse
from hldctl.store.search.text import Tokenizer

TOKENIZER = apsw.Connection(":memory:").fts5_tokenizer("unicode61", ["remove_diacritics", "2"])
WORDS = Tokenizer(TOKENIZER, apsw.FTS5_TOKENIZE_DOCUMENT).words


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("fix parser", [Term(("fix",)), Term(("parser",))]),
        ('"fix the" parser', [Term(("fix", "the")), Term(("parser",))]),
        ("src/parser.py", [Term(("src", "parser", "py"))]),
        ("parse_header", [Term(("parse", "header"))]),
        ("pars*", [Term(("pars",), is_prefix=True)]),
        ('"fix the par*"', [Term(("fix", "the", "par"), is_prefix=True)]),
        ('"fix the par"*', [Term(("fix", "the", "par"), is_prefix=True)]),
        ("Café", [Term(("cafe",))]),
        ("a -- b && c", [Term(("a",)), Term(("b",)), Term(("c",))]),
        ('NOT "unfinished', [Term(("not",)), Term(("unfinished",))]),
        ("a AND b:c (d)^2", [Term((each,)) for each in ("a", "and")] + [Term(("b", "c")), Term(("d", "2"))]),
        ('... "" *', []),
    ],
)
def test_search_is_words_and_phrases(text: str, terms: list[Term]) -> None:
    assert parse(text, WORDS) == terms


def test_argument_with_blanks_is_a_phrase() -> None:
    assert as_text(["fix the parser", "now"]) == '"fix the parser" now'
    assert as_text(['"fix the" parser']) == '"fix the" parser'


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    made = open_index(StateDirectory(tmp_path_factory.mktemp("state")), 1, may_create=True)
    assert made is not None
    yield made
    made.close()


@settings(deadline=None)
@given(text=st.text(), tool=st.none() | st.text(min_size=1))
def test_no_input_is_a_syntax_error(index: SearchIndex, text: str, tool: str | None) -> None:
    if terms := parse(text, index.tokenizer.words):
        assert index.find(_expression(terms, Filters(tool=tool)), above=0, below=None, limit=1) == []
