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
from hldctl.rehearsal.state import RefusalRecord


def main(arguments: list[str]) -> int:
    split = arguments.index("--") if "--" in arguments else len(arguments)
    options, command = _parse_options(arguments[:split]), arguments[split + 1 :]
    if not command:
        print("The command is missing; write it after --.", file=sys.stderr)
        return 2
    try:
        script = parse(options.script.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ScriptError) as error:
        print(f"{options.script}: {error}", file=sys.stderr)
        return 2
    server = RehearsalServer(script, memory=RefusalRecord(options.memory), for_terminal=sys.stdin.isatty())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if options.settings is not None:
        options.settings.write_text(json.dumps(server.settings(json.loads(options.settings.read_bytes()))))
    return _run(command, server.variables(os.environ))


def _parse_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m hldctl.rehearsal", usage="%(prog)s SCRIPT [OPTION…] -- COMMAND [ARGUMENT…]"
    )
    parser.add_argument("script", type=Path, metavar="SCRIPT")
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="settings file of Claude Code; it is changed so that Claude Code uses the script",
    )
    parser.add_argument(
        "--memory", type=Path, metavar="FILE", help="file that records refused requests, for later runs of the command"
    )
    return parser.parse_args(arguments)


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run the command and return its exit code. If a signal killed it, this process kills itself by the same one."""
    process = subprocess.Popen(command, env=environment)

    def forward_signal(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    # SIGINT goes to the whole process group, so forwarding would double it; SIGTERM may go to this process only.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, forward_signal)
    code = process.wait()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
