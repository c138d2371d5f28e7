"""A minimal recorder: parse each line of FILE and insert two rows for it, with many lines per transaction.

`python -m benchmarks.baseline.inserts FILE DATABASE` creates the database and prints the lines recorded per second.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from typing import Any

import apsw

_BATCH_LINES = 500


def _event_row(line: Any) -> tuple[str, str]:
    return line["type"], str(line["message"]["content"][0])


def _feed_row(line: Any) -> tuple[str, str]:
    return "conversation_updated", line["message"]["id"]


def main(file: str, path: str) -> None:
    connection = apsw.Connection(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, type TEXT, content TEXT)")
    connection.execute("CREATE TABLE feed (id INTEGER PRIMARY KEY, type TEXT, data TEXT)")
    count, started = 0, time.perf_counter()
    with open(file, "rb") as lines:
        while batch := [json.loads(line) for line in islice(lines, _BATCH_LINES)]:
            with connection:
                connection.executemany("INSERT INTO events VALUES (NULL, ?, ?)", map(_event_row, batch))
                connection.executemany("INSERT INTO feed VALUES (NULL, ?, ?)", map(_feed_row, batch))
            count += len(batch)
    print(count / (time.perf_counter() - started))


if __name__ == "__main__":
    main(*sys.argv[1:])
