"""Parser for rehearsal scripts, the text format for a rehearsal's responses.

A script is a list of turns separated by blank lines; each turn answers one request. A line is one step:

    say TEXT              a text block
    think TEXT            a thinking block
    call TOOL JSON        a tool call
    ask QUESTION          a question to the user, with its options on indented lines: - LABEL: DESCRIPTION
    plan TEXT             a plan that the user has to approve
    await message TEXT    the end of a turn: the following ones answer the user's next message that contains TEXT
    usage NAME=NUMBER…    the tokens of the response: input, output, cache-read, cache-write
    model NAME            the model that the response names
    wait DURATION         a pause in mid-stream: 200ms, 2s, 1m
    fail STATUS MESSAGE   an HTTP error instead of a response; "fail 529 x2 MESSAGE" fails twice, then continues
    limit DURATION        a usage limit that ends this long after the first refusal; then the next turn is played
    hang                  no more bytes until the client gives up; hang x2: twice, then the next answer

`say <<END` begins a block: all lines up to one that is END, with their blank lines and indentation; END is any word.
`think` and `plan` have blocks, too. An indented line continues the step above it; a line that begins with # is a
comment. A line "[TEXT]" starts the turns for conversations whose prompt contains TEXT; the turns before any such line
are for all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hldctl.rehearsal import step_syntax
from hldctl.rehearsal.step_syntax import StepError
from hldctl.rehearsal.steps import Ask, AwaitMessage, Limit, Step, Turn

_BLOCK = re.compile(r"(?P<step>say|think|plan) <<(?P<end>[A-Za-z_]\w*)")


class ScriptError(ValueError):
    """A script that cannot be parsed; the message contains the line number."""


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

    def section_of(self, turns: tuple[Turn, ...]) -> str:
        """Return the name of the section with these turns; empty for those outside any section."""
        return next((name for name, each in self.sections.items() if each is turns), "")

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
            try:
                _add_step(current, step_syntax.parse_step(line))
            except StepError as error:
                raise ScriptError(f"line {number}: {error}") from None
    parsed = {name: tuple(tuple(turn) for turn in turns if turn) for name, turns in sections.items()}
    return Script(parsed.pop(""), parsed)


def _add_step(turns: list[list[Step]], step: Step) -> None:
    """Add the step to the last turn. Waiting for a message is a turn of its own; questions are asked together."""
    last = turns[-1][-1] if turns[-1] else None
    if isinstance(step, AwaitMessage):
        turns.extend([[step], []])
    elif isinstance(step, Ask) and isinstance(last, Ask):
        turns[-1][-1] = step_syntax.join_questions(last, step)
    else:
        turns[-1].append(step)


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
