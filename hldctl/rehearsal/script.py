"""Parser for rehearsal scripts, the text format for a rehearsal's responses.

A script is a list of turns separated by blank lines; each turn answers one request. A line is one step:

    say TEXT              a text block
    think TEXT            a thinking block
    call TOOL JSON        a tool call
    wait DURATION         a pause in mid-stream: 200ms, 2s, 1m
    fail STATUS MESSAGE   an HTTP error instead of a response; "fail 529 x2 MESSAGE" fails twice, then continues
    limit DURATION        a usage limit that ends this long after the first refusal; then the next turn is played
    hang                  no more bytes until the client gives up

`say <<END` begins a block: all lines up to one that is END, with their blank lines and indentation; END is any word.
`think` has blocks, too. An indented line continues the step above it; a line that begins with # is a comment. A line
"[TEXT]" starts the turns for conversations whose prompt contains TEXT; the turns before any such line are for all
others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_BLOCK = re.compile(r"(?P<step>say|think) <<(?P<end>[A-Za-z_]\w*)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class ScriptError(ValueError):
    """A script that cannot be parsed; the message contains the line number."""


@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Think:
    text: str


@dataclass(frozen=True)
class Call:
    tool: str
    input: dict[str, Any]


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Fail:
    status: int
    message: str
    times: int | None
    """The number of requests that fail before the next turn is played; None for all."""


@dataclass(frozen=True)
class Hang:
    pass


@dataclass(frozen=True)
class Limit:
    """A usage limit of a subscription: requests are refused with the time at which the limit ends."""

    seconds: float


Step = Say | Think | Call | Wait | Fail | Limit | Hang
Turn = tuple[Step, ...]


@dataclass(frozen=True)
class Script:
    turns: tuple[Turn, ...]
    sections: dict[str, tuple[Turn, ...]] = field(default_factory=dict)

    @property
    def has_limits(self) -> bool:
        all_turns = [*self.turns, *(turn for turns in self.sections.values() for turn in turns)]
        return any(isinstance(step, Limit) for turn in all_turns for step in turn)

    def turns_for(self, prompt: str) -> tuple[Turn, ...]:
        """Return the turns of the first section whose name the prompt contains, else those outside any section."""
        section = self.section_for(prompt)
        return self.turns if section is None else section

    def section_for(self, prompt: str) -> tuple[Turn, ...] | None:
        """Return the turns of the first section whose name the prompt contains; None if there is none."""
        return next((turns for name, turns in self.sections.items() if name in prompt), None)


def parse(text: str) -> Script:
    """Return the script in this text. Raise ScriptError, with the line number, if it is invalid."""
    sections: dict[str, list[list[Step]]] = {"": [[]]}
    current = sections[""]
    for number, line in _joined_lines(text):
        if not line:
            current.append([])
        elif line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [[]])
        else:
            current[-1].append(_step(number, line))
    parsed = {name: tuple(tuple(turn) for turn in turns if turn) for name, turns in sections.items()}
    return Script(parsed.pop(""), parsed)


def _joined_lines(text: str) -> list[tuple[int, str]]:
    """Return the steps with their line numbers, without comments.

    An indented line is joined to the one above it, without its indentation; the lines of a block are joined unchanged.
    """
    lines: list[tuple[int, str]] = []
    numbered = iter(enumerate(text.split("\n"), 1))
    for number, line in numbered:
        if line.startswith("#"):
            continue
        if (block := _BLOCK.fullmatch(line.rstrip())) is not None:
            lines.append((number, f"{block['step']} {_read_block(number, block['end'], numbered)}"))
        elif line[:1].isspace() and line.strip() and lines and lines[-1][1]:
            first, above = lines[-1]
            lines[-1] = (first, f"{above}\n{line.strip()}")
        else:
            lines.append((number, line.strip()))
    return lines


def _read_block(number: int, end: str, numbered: Iterator[tuple[int, str]]) -> str:
    """Return the lines up to `end`, with their indentation, blank lines and number signs."""
    block: list[str] = []
    for _, line in numbered:
        if line.rstrip() == end:
            return "\n".join(block)
        block.append(line.rstrip("\r"))
    raise ScriptError(f"line {number}: the block has no end; write {end} on a line of its own after its text")


def _step(number: int, line: str) -> Step:
    word, _, rest = line.partition(" ")
    match word:
        case "say":
            return Say(rest)
        case "think":
            return Think(rest)
        case "call":
            return _call(number, rest)
        case "wait":
            return Wait(_seconds(number, rest))
        case "fail":
            return _fail(number, rest)
        case "limit":
            return Limit(_seconds(number, rest))
        case "hang":
            return Hang()
    raise ScriptError(f"line {number}: unknown step {word!r}; use say, think, call, wait, fail, limit or hang")


def _call(number: int, rest: str) -> Call:
    tool, _, raw = rest.partition(" ")
    try:
        tool_input = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ScriptError(f"line {number}: the input of {tool!r} is not JSON: {error}") from None
    if not isinstance(tool_input, dict):
        raise ScriptError(f"line {number}: the input of {tool!r} must be a JSON object")
    return Call(tool, tool_input)


def _seconds(number: int, text: str) -> float:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)(ms|s|m)", text.strip())
    if not match:
        raise ScriptError(f"line {number}: {text!r} is not a duration; write 200ms, 2s or 1m")
    return float(match[1]) * _UNITS[match[2]]


def _fail(number: int, rest: str) -> Fail:
    match = re.fullmatch(r"([45]\d\d)(?: x(\d{1,9}))?(?: (.*))?", rest, re.DOTALL)
    if not match:
        raise ScriptError(f"line {number}: write fail STATUS MESSAGE, such as: fail 529 Overloaded")
    return Fail(int(match[1]), match[3] or "rehearsed failure", int(match[2]) if match[2] else None)
