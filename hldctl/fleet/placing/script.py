"""The batch script of a session: bash that becomes `hldctl launch`, with the query on its standard input."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence

from hldctl.errors import BadUsage

# Slurm refuses "\r\n" in a script; bash changes some of the others.
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f]")


def write_script(words: Sequence[str], query: str, files: Sequence[str] = ()) -> str:
    """Return a script that runs `hldctl WORDS`, with the query as its standard input, byte for byte.

    `files` are texts that it can read from /dev/fd/3 and the following. Raise BadUsage for a NUL character.
    """
    for text in (*words, query, *files):
        if "\0" in text:
            raise BadUsage(
                "A NUL character cannot be part of a batch script; remove it from the query and the options."
            )
    command = " ".join(map(_quoted, words))
    inputs = [_input("", query), *(_input(str(number), text) for number, text in enumerate(files, 3))]
    return (
        "#!/bin/bash\n"
        "# A session of hldctl.\n"
        'export PATH="$PATH:$HOME/.local/bin"\n'
        f"exec hldctl {command} {' '.join(inputs)}\n"
    )


def _input(descriptor: str, text: str) -> str:
    """Return a redirection that reads the text; the shell itself would add a newline."""
    # Bytes are counted whatever the locale.
    data = text.encode()
    if _CONTROL.search(text):
        encoded = base64.encodebytes(data).decode()
        return f"{descriptor}< <(base64 --decode <<'END'\n{encoded}END\n)"
    delimiter = _delimiter(text)
    return f"{descriptor}< <(head -c {len(data)} <<'{delimiter}'\n{text}\n{delimiter}\n)"


def _delimiter(text: str) -> str:
    """Return a line that the text does not have."""
    lines = set(text.split("\n"))
    return next(name for number in range(len(lines) + 1) if (name := f"END{number or ''}") not in lines)


def _quoted(word: str) -> str:
    if not _CONTROL.search(word):
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    hexadecimal = _CONTROL.sub(lambda match: rf"\x{ord(match[0]):02x}", escaped)
    return f"$'{hexadecimal}'"
