from __future__ import annotations

import pytest

from hldctl.rehearsal.script import ScriptError, parse
from hldctl.rehearsal.steps import (
    Ask,
    AwaitMessage,
    Call,
    Fail,
    Hang,
    Model,
    Option,
    Plan,
    Question,
    Say,
    Think,
    Usage,
    Wait,
)

TEXT = """\
# All that there is.
think Hm.
say One
  and two.
wait 200ms
call Bash {"command":
  "ls"}

fail 529 x2 Overloaded

hang

[a word]
say Otherwise.
"""


def test_script_has_turns_and_sections() -> None:
    script = parse(TEXT)
    first = (Think("Hm."), Say("One\nand two."), Wait(0.2), Call("Bash", {"command": "ls"}))
    assert script.turns == (first, (Fail(529, "Overloaded", 2),), (Hang(),))
    assert script.turns_for("with a word in it") == ((Say("Otherwise."),),)
    assert script.turns_for("with none") == script.turns


def test_block_keeps_blank_lines_and_indentation() -> None:
    lines = ("# Heading", "", "    code", "say no step", "", "[none]")
    text = "\n".join(lines)
    script = parse(f"think <<X\n{text}\nX\nsay <<END_2\n{text}\n\nEND_2\nhang\n\nsay <<END here")
    assert script.turns == ((Think(text), Say(f"{text}\n"), Hang()), (Say("<<END here"),))


def test_waiting_for_a_message_is_a_turn_of_its_own() -> None:
    script = parse("say One.\nawait message\nsay Two.\n\nawait message  please go \n\nsay Three.")
    turns = ((Say("One."),), (AwaitMessage(""),), (Say("Two."),), (AwaitMessage("please go"),), (Say("Three."),))
    assert script.turns == turns


def test_questions_of_a_turn_are_asked_together() -> None:
    script = parse(
        "ask [Indent] Tabs or\n  spaces?\n  - Tabs: one a level:\n    wide\n  - Spaces\n"
        "ask Which ones?\n  - [ ] First: the one\n  - [ ] Second"
    )
    indent = Question("Tabs or spaces?", "Indent", (Option("Tabs", "one a level: wide"), Option("Spaces", "")), False)
    which = Question("Which ones?", "Question", (Option("First", "the one"), Option("Second", "")), True)
    assert script.turns == ((Ask((indent, which)),),)


def test_response_has_a_plan_usage_and_model() -> None:
    script = parse(
        "plan <<END\n# Plan\n\n  1. Look\nEND\nusage input=1500 output=2k cache-read=1.5M cache-write=0\nmodel m"
    )
    tokens = {
        "input_tokens": 1500,
        "output_tokens": 2000,
        "cache_read_input_tokens": 1_500_000,
        "cache_creation_input_tokens": 0,
    }
    assert script.turns == ((Plan("# Plan\n\n  1. Look"), Usage(tokens), Model("m")),)


_OPTIONS = "\n  - A\n  - B"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("say ok\nsay <<END\ntext\n END", "line 2: the block has no end; write END"),
        ("say ok\n\nsing la", "line 3: unknown step 'sing'"),
        ("call Bash ls", "line 1: the input of 'Bash' is not JSON.*write call TOOL JSON"),
        ("call Bash []", "line 1: the input of 'Bash' must be a JSON object"),
        ("wait long", "line 1: 'long' is not a duration"),
        ("fail often", "line 1: write fail STATUS MESSAGE"),
        ("say ok\nawait", "line 2: write await message, or await message TEXT"),
        ("await answer", "line 1: write await message"),
        ("plan", "line 1: write plan TEXT, or plan <<END"),
        ("model", "line 1: write model NAME"),
        ("usage", "line 1: '' is not a number of tokens; write usage NAME=NUMBER"),
        ("usage input=1 words=2", "line 1: 'words=2' is not .* with the names input, output, cache-read, cache-write"),
        ("usage input=1.5", "line 1: 'input=1.5' is not a number of tokens"),
        ("ask", "line 1: write ask QUESTION, and below it indented options: - LABEL: DESCRIPTION"),
        ("ask Which?\n  - A", "line 1: a question needs two to four options; write ask QUESTION"),
        ("ask Which?\n  - A\n  - B\n  - C\n  - D\n  - E", "line 1: a question needs two to four options"),
        ("ask Which?\n  - A\n  - [ ] B", "line 1: either all options have a box"),
        (f"ask [A long heading] Which?{_OPTIONS}", "line 1: .* a heading of at most 12 characters"),
        (f"ask Which?{_OPTIONS}\nask Which?{_OPTIONS}", "line 4: the question is asked twice"),
        ("\n".join(f"ask {n}?{_OPTIONS}" for n in range(5)), "line 13: one answer can ask 4 questions at most"),
    ],
)
def test_error_names_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ScriptError, match=complaint):
        parse(text)
