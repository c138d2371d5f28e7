"""The reducer on streams written by real Claude Code binaries, which are in tests/fixtures/streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hldctl.ingest.reducer import Reducer
from hldctl.ingest.state import ReducerState
from tests.fixtures.streams.expected import collect_lists, reduce_lines, render_expected, split_lines
from tests.fixtures.streams.record import Index, indexes
from tests.fixtures.streams.recordings import RECORDINGS
from tests.fixtures.streams.scrub import START_MS, scrub

INDEXES = indexes()
RECORDED = [
    pytest.param(index, name, id=f"{index.claude_version}-{name}") for index in INDEXES for name in index.streams
]
versions = pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.claude_version)
recorded = pytest.mark.parametrize(("index", "name"), RECORDED)


def through_json(state: ReducerState) -> ReducerState:
    """Return the state as a supervisor would read it from the database."""
    return ReducerState.from_json(json.loads(json.dumps(state.as_json())), state.result_content)


def collected(*folds: Reducer) -> dict[str, list[Any]]:
    """The collected output of several reducers."""
    together: dict[str, list[Any]] = {"rows": [row for fold in folds for row in fold.rows]}
    for fold in folds:
        for name, items in collect_lists(fold).items():
            together.setdefault(name, []).extend(items)
    return together


@recorded
def test_reduced_stream_matches_the_expected_text(index: Index, name: str) -> None:
    """If a difference is intended, run `python -m tests.fixtures.streams.record --expected`."""
    assert render_expected(index.stream(name).read_bytes()) == index.expected(name).read_text(encoding="utf-8")


@recorded
def test_every_line_is_readable(index: Index, name: str) -> None:
    lines = split_lines(index.stream(name).read_bytes())
    state = reduce_lines(lines).state
    assert (state.lines, state.unreadable_lines) == (len(lines), 0)


@recorded
def test_reducing_line_by_line_equals_reducing_at_once(index: Index, name: str) -> None:
    lines = split_lines(index.stream(name).read_bytes())
    state = ReducerState()
    folds: list[Reducer] = []
    columns: dict[str, Any] = {}
    for line in lines:
        folds.append(Reducer("session", through_json(state)))
        folds[-1].apply(line, arrived_at=START_MS)
        state = folds[-1].state
        columns |= state.columns()
    whole = reduce_lines(lines)
    assert collected(*folds) == collected(whole)
    assert through_json(state) == through_json(whole.state)
    assert columns == whole.state.columns()


@recorded
def test_stream_may_end_anywhere(index: Index, name: str) -> None:
    stream = index.stream(name).read_bytes()
    lines = split_lines(stream)
    for count in range(len(lines)):
        assert reduce_lines(lines[:count]).state.unreadable_lines == 0
    for part in range(20):
        cut = split_lines(stream[: len(stream) * part // 20])
        state = reduce_lines(cut).state
        assert state.lines == len(cut)
        assert state.unreadable_lines <= 1


@recorded
def test_stream_contains_nothing_random_or_machine_specific(index: Index, name: str) -> None:
    stream = index.stream(name).read_bytes()
    assert scrub(stream) == stream


@versions
def test_index_and_files_agree(index: Index) -> None:
    files = {path.name for path in index.directory.iterdir()}
    named = {path.name for name in index.streams for path in (index.stream(name), index.expected(name))}
    assert files == named | {"index.json"}
    assert index.directory.name == index.claude_version


@versions
def test_index_describes_how_each_stream_was_made(index: Index) -> None:
    arguments = {recording.name: [*recording.arguments, "--", recording.prompt] for recording in RECORDINGS}
    assert {name: stream["arguments"] for name, stream in index.streams.items()} == arguments
    assert all(isinstance(stream["exit_code"], int) for stream in index.streams.values())
    for name in index.streams:
        events = [json.loads(line) for line in split_lines(index.stream(name).read_bytes())]
        assert {event.get("claude_code_version", index.claude_version) for event in events} == {index.claude_version}


def test_streams_exist_and_are_small() -> None:
    assert RECORDED
    assert sum(path.stat().st_size for index in INDEXES for path in index.directory.iterdir()) < 1_000_000
