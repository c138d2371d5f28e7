"""Draws the table of docs/performance.md: `python -m benchmarks.document FILE`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import table
from benchmarks.result import InvalidResult, Result

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_BEGIN = "<!-- drawn by python -m benchmarks --document -->\n"
_END = "<!-- end of what is drawn -->\n"


def update_page(measurement: Result, page: Path = PAGE) -> None:
    """Puts the measurement in place of the one that the page shows; what is written by hand around it stays."""
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n{table.render_markdown(measurement)}\n\n{_END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.document", description=__doc__)
    parser.add_argument("file", type=Path, help="what `python -m benchmarks --output` has written")
    try:
        update_page(Result.read(parser.parse_args().file))
    except InvalidResult as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
