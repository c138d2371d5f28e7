"""Where `hldctl` begins: what takes long to load is begun first."""

from __future__ import annotations

import sys
from typing import NoReturn

_LAUNCHING = ("launch", "continue")


def main() -> NoReturn:
    words = sys.argv[1:]
    if sys.platform != "win32" and words[:1] and words[0] in _LAUNCHING and not {"-h", "--help"} & set(words):
        from hldctl.sessions import spawning

        spawning.prestart()
    from hldctl.cli import app

    app.main()
