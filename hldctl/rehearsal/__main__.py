"""`python -m hldctl.rehearsal SCRIPT [OPTION…] -- COMMAND…` runs COMMAND while SCRIPT is played to its Claude Code."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

from hldctl.rehearsal.script import ScriptError, parse
from hldctl.rehearsal.server import RehearsalServer
from hldctl.rehearsal.state import Memory


def main(words: list[str]) -> int:
    split = words.index("--") if "--" in words else len(words)
    said, command = _options(words[:split]), words[split + 1 :]
    if not command:
        print("There is no command; it stands behind --.", file=sys.stderr)
        return 2
    try:
        script = parse(said.script.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ScriptError) as error:
        print(f"{said.script}: {error}", file=sys.stderr)
        return 2
    server = RehearsalServer(script, memory=Memory(said.memory))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if said.settings is not None:
        said.settings.write_text(json.dumps(server.settings(json.loads(said.settings.read_bytes()))))
    return _run(command, server.variables(os.environ))


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m hldctl.rehearsal", usage="%(prog)s SCRIPT [OPTION…] -- COMMAND [ARGUMENT…]"
    )
    parser.add_argument("script", type=Path, metavar="SCRIPT")
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="settings of Claude Code, which get what makes it talk to the script whatever the user's own say",
    )
    parser.add_argument(
        "--memory", type=Path, metavar="FILE", help="remember in it what was refused, for when the command is run again"
    )
    return parser.parse_args(words)


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Ends as the command does, by the same signal if by one."""
    process = subprocess.Popen(command, env=environment)

    def hand_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    # An interrupt is for the whole process group, and two are more than one; a termination may be for one process.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, hand_on)
    code = process.wait()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
