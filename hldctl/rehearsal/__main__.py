"""`python -m hldctl.rehearsal SCRIPT -- COMMAND…` runs COMMAND while the script is played to its Claude Code."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from hldctl.rehearsal.script import ScriptError, parse
from hldctl.rehearsal.server import RehearsalServer


def main(arguments: list[str]) -> int:
    if len(arguments) < 3 or arguments[1] != "--":
        print("usage: python -m hldctl.rehearsal SCRIPT -- COMMAND [ARGUMENT…]", file=sys.stderr)
        return 2
    try:
        script = parse(Path(arguments[0]).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ScriptError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2
    server = RehearsalServer(script)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return subprocess.call(arguments[2:], env=os.environ | server.environment())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
