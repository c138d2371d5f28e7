"""The least that recording has to do: each line of FILE parsed, and two rows for it, many lines a transaction.

`python -m benchmarks.baseline.inserts FILE DATABASE` makes the database and prints the lines recorded a second.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from typing import Any

import apsw

_LINES_AT_ONCE = 500


def _event(line: Any) -> tuple[str, str]:
    return line["type"], str(line["message"]["content"][0])


def _notice(line: Any) -> tuple[str, str]:
    return "conversation_updated", line["message"]["id"]


def main(file: str, path: str) -> None:
    connection = apsw.Connection(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, type TEXT, content TEXT)")
    connection.execute("CREATE TABLE feed (id INTEGER PRIMARY KEY, type TEXT, data TEXT)")
    count, begun = 0, time.perf_counter()
    with open(file, "rb") as lines:
        while some := [json.loads(line) for line in islice(lines, _LINES_AT_ONCE)]:
            with connection:
                connection.executemany("INSERT INTO events VALUES (NULL, ?, ?)", map(_event, some))
                connection.executemany("INSERT INTO feed VALUES (NULL, ?, ?)", map(_notice, some))
            count += len(some)
    print(count / (time.perf_counter() - begun))


if __name__ == "__main__":
    main(*sys.argv[1:])
