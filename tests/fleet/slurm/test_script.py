"""The batch script, run by bash: words and query arrive byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hldctl.errors import BadUsage
from hldctl.fleet.placing.script import write_script
from tests.helpers.sandbox import TIMEOUT_SECONDS

AWKWARD = [
    "Go",
    "Go\n",
    "\n\n Go \n\n",
    'it\'s "quoted" $HOME ${HOME} $(id) `id` \\ \\n !! # ; & | < > * ? [a] {a,b} ~',
    "END\nEND1\nEND2 \n END3\nEOF",
    "#!/bin/sh\n#SBATCH --partition=none\n#SBATCH --comment=other",
    "one\r\ntwo\r\n",
    "\x01\x02\x7f\x1b[31mred\x1b[0m\ttab",
    "grüße 🙂 \u200b\ufeff\u2028 \ue000",
    "-- --option -x",
    "%j %A",
    "END\n" * 300,
    "x" * 1_000_000 + "\nlast",
]


@pytest.mark.parametrize("text", AWKWARD, ids=range(len(AWKWARD)))
def test_query_words_and_files_arrive_unchanged(text: str, tmp_path: Path) -> None:
    program = tmp_path / "hldctl"
    copies = "".join(
        f"open(r'{tmp_path}/{name}', 'wb').write(open('/dev/fd/{name}', 'rb').read())\n" for name in (0, 3, 4)
    )
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\n{copies}"
        f"open(r'{tmp_path}/words', 'wb').write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))\n"
    )
    program.chmod(0o755)
    word = text[:10_000]
    script = write_script(["launch", word, f"--title={word}", "-"], text, [text, "other"])
    assert "\r" not in script
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run(["bash"], input=script.encode(), env=environment, check=True, timeout=TIMEOUT_SECONDS)
    found = [(tmp_path / name).read_bytes() for name in ("0", "3", "4")]
    assert found == [text.encode(), text.encode(), b"other"]
    assert (tmp_path / "words").read_bytes().split(b"\0") == [
        os.fsencode(each) for each in ("launch", word, f"--title={word}", "-")
    ]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_nul_is_refused(place: int) -> None:
    texts = ["a\0b" if number == place else "fine" for number in range(3)]
    with pytest.raises(BadUsage, match="NUL"):
        write_script([texts[0]], texts[1], [texts[2]])
