"""The recorded edits of a session, like a diff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hldctl.cli.output import one_line
from hldctl.cli.render.events import tool_calls
from hldctl.cli.render.events.edit_diff import compute_diff
from hldctl.sessions.inspect.edits import Edit


def files(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    """Return each edited file with the numbers of lines, in the order of the first edit."""
    counts: dict[str, list[int]] = {}
    for edit in edits:
        lines = compute_diff(*edit).lines
        count = counts.setdefault(_path(edit), [0, 0])
        count[0] += sum(line.sign == "+" for line in lines)
        count[1] += sum(line.sign == "-" for line in lines)
    return [{"path": path, "insertions": added, "deletions": removed} for path, (added, removed) in counts.items()]


def stat_lines(edits: Sequence[Edit]) -> Iterator[str]:
    for file in files(edits):
        yield f" {file['path']} | +{file['insertions']} -{file['deletions']}"


def diff_lines(edits: Sequence[Edit]) -> Iterator[str]:
    """Yield the changed lines of each edit below the name of its file."""
    for edit in edits:
        yield f"--- {_path(edit)}"
        for line in compute_diff(*edit).lines:
            yield f"{line.sign}{line.text}"


def _path(edit: Edit) -> str:
    inputs = tool_calls.tool_input(edit.call)
    return one_line(str(inputs.get("file_path") or inputs.get("notebook_path") or "?"))
