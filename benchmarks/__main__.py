"""`python -m benchmarks`: measures, prints the table, writes the file."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from benchmarks import document, machine, running, table
from benchmarks.catalog import BENCHMARKS
from benchmarks.result import Result

_DESCRIPTION = """Measure hldctl beside the least that has to be done and beside Claude Code's own commands, in one run
of at most ten minutes on a machine that does nothing else. The table goes to stdout, progress to stderr."""


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, _terminated)
    begun = time.monotonic()
    described, steal = machine.describe(sys.argv[1:]), machine.Steal()
    try:
        figures = tuple(running.run(options.only or list(BENCHMARKS), _tell))
    except KeyboardInterrupt:
        _tell("Interrupted; nothing is written.")
        sys.exit(128 + signal.SIGINT)
    described["stolen by the host"] = f"{steal.share():.0%} of the processor time that was wanted"
    described["took"] = f"{time.monotonic() - begun:.0f} s"
    measurement = Result(described, figures)
    measurement.write(options.output)
    print(table.render_text(measurement))
    if options.document:
        document.update_page(measurement)
    sys.exit(any(figure.measured is None for figure in figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=_DESCRIPTION,
        epilog="The exit code is 1 if something could not be measured.",
    )
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks.json"), metavar="FILE", help="default: benchmarks.json"
    )
    parser.add_argument("--document", action="store_true", help="draw the table of docs/performance.md, too")
    options = parser.parse_args()
    if options.only and options.document:
        parser.error("--document draws what a whole run has measured; leave out --only.")
    return options


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _terminated(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
