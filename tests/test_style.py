"""The house style of CONTRIBUTING.md: words with a plainer replacement, and names of functions."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REPLACEMENTS = {
    r"mend(s|ed|ing)?": "fix",
    r"heed(s|ed|ing)?": "obey, follow, take effect",
    r"anew": "again",
    r"whoever|whom": "name the subject",
    r"meanwhile": "in the meantime, by then",
    r"but for": "except",
    r"(?<!there )(is|are|was|were) no(?! (longer|more than|less than))": "is not a",
    r"(is|are) to be": "must be, will be",
    r"stands? (in|at|behind)": "is in, is at, is after",
    r"go(es)? on|went on|going on": "continue, happen",
    r"(told|tells?)(?! \w+ apart| apart)": "say, show, report",
    r"behind": "after, later than",
    r"so (many|long)(?! as)": "this many, this long",
}
FORBIDDEN = {
    re.compile(rf"(?<![\w`\"'-])({words})(?![\w`-])", re.IGNORECASE): say for words, say in REPLACEMENTS.items()
}
PARTICIPLES = frozenset(
    "begun bound drawn done dealt fed felt found given gone heard held hidden kept known laid left lent made meant met"
    " put said seen sent shown spent split spoken stood taken told understood woken written".split()
)
NOT_PARTICIPLES = frozenset("embed feed need proceed seed shed speed".split())
PREPOSITIONS = frozenset(
    "about above after ahead among at before behind below beside between by for in into of on over since than through"
    " under until up with within without".split()
)
CODE = [path for folder in ("hldctl", "scripts", "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
# What they quote is older than the style, or somebody else's.
EXEMPT = {"tests/test_style.py", "CONTRIBUTING.md"}


def prose_of_code(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of comments, docstrings and, outside of tests, of all other texts."""
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    begins_statement = True
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        is_text = token.type != tokenize.COMMENT and token.type in kinds
        # What tests type and compare is data.
        if token.type in kinds and not (is_text and "tests" in path.parts and not begins_statement):
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            begins_statement = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)


def prose_of_page(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines outside of listings, without what is quoted as code."""
    is_listing = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_listing = not is_listing
        elif not is_listing:
            yield number, re.sub(r"`[^`]*`", "``", line)


@pytest.mark.parametrize("path", [*CODE, *PAGES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_prose_is_plain(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    if name in EXEMPT or name.startswith("tests/fixtures/"):
        return
    lines = prose_of_code(path) if path.suffix == ".py" else prose_of_page(path)
    found = [
        f"{name}:{number}: {match[0]!r}: say {say}"
        for number, line in lines
        for pattern, say in FORBIDDEN.items()
        for match in pattern.finditer(line)
    ]
    assert not found, "\n".join(found)


def function_names() -> Iterator[str]:
    for path in (ROOT / "hldctl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
                yield node.name.strip("_")


def is_participle(name: str) -> bool:
    return name in PARTICIPLES or (name.endswith("ed") and "_" not in name and name not in NOT_PARTICIPLES)


def test_functions_are_not_named_by_a_bare_participle() -> None:
    names = list(function_names())
    found = [name for name in names if is_participle(name)]
    assert len(found) <= 0.015 * len(names), found


def test_functions_are_not_named_by_a_bare_preposition() -> None:
    names = list(function_names())
    found = [name for name in names if name.split("_")[0] in PREPOSITIONS]
    assert len(found) <= 0.01 * len(names), found
