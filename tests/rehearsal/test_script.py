from __future__ import annotations

import pytest

from hldctl.rehearsal.script import Call, Fail, Hang, Say, ScriptError, Think, Wait, parse

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


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("say ok\nsay <<END\ntext\n END", "line 2: the block has no end; write END"),
        ("say ok\n\nsing la", "line 3: unknown step 'sing'"),
        ("call Bash ls", "line 1: the input of 'Bash' is not JSON"),
        ("call Bash []", "line 1: the input of 'Bash' must be a JSON object"),
        ("wait long", "line 1: 'long' is not a duration"),
        ("fail often", "line 1: write fail STATUS MESSAGE"),
    ],
)
def test_error_names_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ScriptError, match=complaint):
        parse(text)
