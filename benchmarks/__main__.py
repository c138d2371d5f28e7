"""Entry point of `python -m benchmarks`: run the benchmarks, print the table, write the result file."""

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

_DESCRIPTION = """Compare hldctl with minimal baselines and with Claude Code's own commands. A run takes at most ten
minutes on an otherwise idle machine. The table goes to stdout, progress to stderr."""


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, _exit_on_sigterm)
    started = time.monotonic()
    description, steal = machine.describe(sys.argv[1:]), machine.StealTime()
    try:
        metrics = tuple(running.run(options.only or list(BENCHMARKS), _report))
    except KeyboardInterrupt:
        _report("Interrupted; no result was written.")
        sys.exit(128 + signal.SIGINT)
    description["stolen by the host"] = f"{steal.share():.0%} of the processor time requested"
    description["took"] = f"{time.monotonic() - started:.0f} s"
    result = Result(description, metrics)
    result.write(options.output)
    print(table.render_text(result))
    if options.document:
        document.update_page(result)
    sys.exit(any(metric.measured is None for metric in metrics))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=_DESCRIPTION,
        epilog="The exit code is 1 if a metric could not be measured.",
    )
    parser.add_argument(
        "--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=f"one or more of: {', '.join(BENCHMARKS)}"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks.json"), metavar="FILE", help="default: benchmarks.json"
    )
    parser.add_argument("--document", action="store_true", help="also update the table in docs/performance.md")
    options = parser.parse_args()
    if options.only and options.document:
        parser.error("--document needs a complete run; leave out --only.")
    return options


def _report(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _exit_on_sigterm(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
