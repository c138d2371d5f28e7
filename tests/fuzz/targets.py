"""What is fuzzed: each target takes any bytes, and raises where a promise is broken."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import apsw

from hldctl.claude import command_line, command_prefixes, environment, mcp, permission_hook
from hldctl.claude.usage import Tokens
from hldctl.cli.export import safe_markdown
from hldctl.cli.render.events_plain import lines as printed_lines
from hldctl.errors import HldctlError, UnfitEnvironment, error_for
from hldctl.ingest.arrival_times import Arrivals
from hldctl.ingest.file_snapshots import Snapshots
from hldctl.ingest.journal import Batch, JournalReader
from hldctl.ingest.reducer import Fold, Snapshot
from hldctl.ingest.state import FoldState
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.protocol.launch_report import Report
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.rehearsal.script import Call, ScriptError, Wait, parse
from hldctl.sessions import resume
from hldctl.store import approvals, file_snapshots, json_view, mcp_servers
from hldctl.store.events import COLUMNS, Event
from hldctl.store.migrations import MIGRATIONS
from hldctl.store.session import COLUMNS as SESSION_COLUMNS
from hldctl.store.session import Session
from hldctl.supervisor.input_files import write_inputs
from hldctl.system.clock import rfc3339
from tests.fixtures.streams.expected import split_lines
from tests.fuzz import damage
from tests.fuzz.shells import assert_one_command
from tests.helpers.exported_markdown import assert_contained

ARRIVED = 1795377072000
_INSERT = f"INSERT INTO conversation_events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_COMPLETE = "UPDATE conversation_events SET is_completed = 1 WHERE session_id = ? AND tool_id = ?"
_EVENTS = f"SELECT {', '.join(Event._fields)} FROM conversation_events ORDER BY sequence"
_OBEYED = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What a terminal acts upon; a tab is let through."""


@dataclass
class Bench:
    """A directory and a database to work with."""

    directory: Path
    database: apsw.Connection = field(default_factory=lambda: apsw.Connection(":memory:"))

    def __post_init__(self) -> None:
        for statement in (statement for step in MIGRATIONS for statement in step):
            self.database.execute(statement)
        self.session_files.directory.mkdir(parents=True)
        self.session_files.snapshots.mkdir()
        self.work.mkdir()

    @property
    def state(self) -> StateDirectory:
        return StateDirectory(self.directory)

    @property
    def session_files(self) -> SessionFiles:
        return self.state.session("session")

    @cached_property
    def template(self) -> damage.Template:
        return damage.Template(self.directory / "damaged")

    @property
    def work(self) -> Path:
        return self.directory / "work"

    @property
    def session(self) -> Session:
        lists = ("additional_directories", "allowed_tools", "disallowed_tools", "extra_arguments")
        unknown: dict[str, Any] = dict.fromkeys(SESSION_COLUMNS)
        return Session.from_columns(
            {**unknown, "id": "session", "working_dir": str(self.work), **dict.fromkeys(lists, ())}
        )

    def close(self) -> None:
        self.database.close()


@dataclass
class Given:
    """All that folds gave, one after the other."""

    items: list[Any] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    mcp_states: list[tuple[str, str]] = field(default_factory=list)
    completed_tools: list[str] = field(default_factory=list)
    columns: dict[str, Any] = field(default_factory=dict)

    def take(self, fold: Fold) -> None:
        for name in ("rows", "snapshots", "mcp_states", "completed_tools"):
            getattr(self, name).extend(getattr(fold, name))
        self.columns |= fold.state.columns()


def stream(bench: Bench, data: bytes) -> None:
    """The journal: decoded and folded, in one piece and in many, stored and printed."""
    fold = Fold("session", FoldState())
    for line in split_lines(data):
        fold.add(line, ARRIVED)
    fold.state.offset = len(data)
    whole = Given()
    whole.take(fold)
    pieces, state = _folded_in_pieces(bench, data)
    assert pieces == whole
    assert _stored(state) == _stored(fold.state)
    assert [row[1] for row in whole.rows] == list(range(2, len(whole.rows) + 2))
    for event in _stored_events(bench, whole):
        json.dumps(json_view.event_object(event), allow_nan=False).encode()
        assert not any(_OBEYED.search(line) for line in printed_lines(event))
    json.dumps(whole.columns, allow_nan=False)


def _stored(state: FoldState) -> str:
    return json.dumps(state.as_json(), allow_nan=False)


def _folded_in_pieces(bench: Bench, data: bytes) -> tuple[Given, FoldState]:
    chance = random.Random(zlib.crc32(data))
    given, state = Given(), FoldState()
    path = bench.session_files.journal
    path.write_bytes(b"")
    reader = JournalReader(path, 0)
    with path.open("ab", buffering=0) as file:
        for piece in _pieces(chance, data):
            file.write(piece)
            while (batch := reader.next_batch()) is not None:
                state = _step(batch, state, given)
            if chance.random() < 0.2:
                reader.close()
                reader = JournalReader(path, state.offset)
                # What it had of a line that is not complete, it has to find again.
                while (batch := reader.next_batch()) is not None:
                    state = _step(batch, state, given)
    if (batch := reader.last_batch()) is not None:
        state = _step(batch, state, given)
    reader.close()
    return given, state


def _pieces(chance: random.Random, data: bytes) -> Iterator[bytes]:
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(0, 4)))
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        yield data[start:end]


def _step(batch: Batch, state: FoldState, given: Given) -> FoldState:
    fold = Fold("session", state)
    for _, line in batch.ends():
        assert isinstance(line, bytes)
        fold.add(line, ARRIVED)
    fold.state.offset = batch.end
    given.take(fold)
    return FoldState.from_json(json.loads(_stored(fold.state)), fold.state.result_content)


def _stored_events(bench: Bench, given: Given) -> list[Event]:
    """The events as they come out of the database, into which all that was given goes."""
    cursor = bench.database.cursor()
    cursor.execute("BEGIN")
    try:
        cursor.executemany(_INSERT, given.rows)
        cursor.executemany(mcp_servers.SET_STATUS, [("session", *pair) for pair in given.mcp_states])
        cursor.executemany(_COMPLETE, [("session", tool) for tool in given.completed_tools])
        cursor.executemany(file_snapshots.INSERT, [("session", *snapshot[:3], ARRIVED) for snapshot in given.snapshots])
        if given.columns:
            values = tuple(given.columns.values())
            assert cursor.execute(f"SELECT {', '.join('?' * len(values))}", values).fetchone() == values
        return [Event._make(row) for row in cursor.execute(_EVENTS)]
    finally:
        cursor.execute("ROLLBACK")


def arrivals(bench: Bench, data: bytes) -> None:
    """The file of marks: whatever it holds, every byte has a time, the same for each fold."""
    chance = random.Random(zlib.crc32(data))
    path = bench.session_files.arrival_times
    path.write_bytes(data)
    offsets = sorted(chance.randint(1, 1 << chance.choice((4, 10, 40))) for _ in range(5))
    first = _times(path, offsets, folded=0)
    assert all(isinstance(moment, int) and len(rfc3339(moment) or "") == 24 for moment in first)
    again = chance.randrange(len(offsets))
    assert _times(path, offsets[again:], folded=offsets[again] - 1) == first[again:]
    assert _times(path, offsets, folded=0) == first


def _times(path: Path, offsets: list[int], folded: int) -> list[int]:
    marks = Arrivals(path, folded)
    try:
        moments = []
        for offset in offsets:
            marks.cover(offset)
            moments.append(marks.mark_of(offset)[1])
        return moments
    finally:
        marks.close()


_LINES = tuple(
    json.dumps(line).encode()
    for line in (
        {"type": "system", "subtype": "init", "session_id": "x", "model": "claude-opus-5"},
        {"type": "novelty"},
        {"type": "assistant", "message": {"id": "m", "content": [{"type": "text", "text": "a"}], "usage": {}}},
        {"type": "result", "subtype": "success", "permission_denials": [{"tool_name": "Bash"}], "total_cost_usd": 1},
    )
)


def fold_state(_: Bench, data: bytes) -> None:
    """The state in the database: one of an older or newer hldctl, too, is gone on with."""
    try:
        stored = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(stored, dict) or not _is_of_this_kind(stored):
        return
    state = FoldState.from_json(stored, None)
    assert FoldState.from_json(json.loads(json.dumps(state.as_json())), None) == state
    fold = Fold("session", state)
    for line in _LINES:
        fold.add(line, ARRIVED)
    assert state.lines == stored.get("lines", 0) + len(_LINES)
    assert len(state.unknown_lines) <= max(51, 1 + len(stored.get("unknown_lines", ())))
    state.columns()


def _is_of_this_kind(stored: dict[str, Any]) -> bool:
    """Whether each value that a fold knows is one that a fold could have stored."""
    return all(_fits(stored[member.name], str(member.type)) for member in fields(FoldState) if member.name in stored)


def _fits(value: Any, kind: str) -> bool:
    return any(_KINDS[one](value) for one in kind.split(" | "))


def _is_number(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


def _is_list(value: Any, is_item: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(is_item, value))


def _is_map(value: Any, is_item: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(map(is_item, value.values()))


_KINDS: dict[str, Callable[[Any], bool]] = {
    "int": _is_number,
    "bool": lambda value: isinstance(value, bool),
    "float": lambda value: type(value) in (int, float) and abs(value) < 2**53,
    "str": lambda value: isinstance(value, str),
    "None": lambda value: value is None,
    "Tokens": lambda value: _is_list(value, _is_number) and len(value) == len(Tokens._fields),
    "dict[str, int]": lambda value: _is_map(value, _is_number),
    "dict[str, str]": lambda value: _is_map(value, lambda item: isinstance(item, str)),
    "dict[str, tuple[str, bool]]": lambda value: _is_map(
        value, lambda item: isinstance(item, list) and [type(part) for part in item] == [str, bool]
    ),
    "list[JsonObject]": lambda value: _is_list(value, lambda item: isinstance(item, dict)),
    "tuple[Any, ...]": lambda value: isinstance(value, list) and len(value) == 8,
}


def inherited(bench: Bench, data: bytes) -> None:
    """The private files that `continue` inherits: UnfitEnvironment, or a request that can be carried out."""
    files = bench.session_files
    sources = (files.environment, files.mcp_config, files.claude_settings)
    for path in sources:
        path.unlink(missing_ok=True)
    sources[zlib.crc32(data) % len(sources)].write_bytes(data)
    try:
        settings = resume._inherited_settings(bench.state, bench.session)
    except UnfitEnvironment:
        return
    request = LaunchRequest("session", "run", "Hello", "Hello", "claude", 0o77, settings)
    received = LaunchRequest.from_bytes(request.to_bytes())
    assert json.dumps(received.settings.environment) == json.dumps(settings.environment)
    write_inputs(received, files, bench.state)
    for server in mcp.servers(received.settings.mcp_config):
        bench.database.execute("SELECT ?, ?, ?, ?", (server.name, server.transport, server.command, server.url))
    variables = environment.for_session(
        {}, received.settings.environment, session_id="session", run_id="run", state_directory=bench.directory
    )
    assert not any("\0" in name + value or "=" in name for name, value in variables.items())
    command_line.command("claude", received.settings, files, conversation=["--session-id", "session"], hooked=False)


def report(_: Bench, data: bytes) -> None:
    """What a supervisor says: a report, or one that it said none."""
    said = Report.from_bytes(data)
    assert isinstance(said.session_id, str)
    if said.error is not None:
        assert isinstance(error_for(said.exit_code, said.error), HldctlError)


def script(_: Bench, data: bytes) -> None:
    """A rehearsal's script: one that can be played, or ScriptError."""
    try:
        made = parse(data.decode("utf-8", errors="replace"))
    except ScriptError:
        return
    for turn in (*made.turns, *made.turns_for("Hello")):
        for step in turn:
            assert not isinstance(step, Wait) or step.seconds < 1e9
            assert not isinstance(step, Call) or json.dumps(step.input)


def kept_snapshot(bench: Bench, data: bytes) -> None:
    """A file that was read in part: kept as it was, or as much of it as was shown."""
    taken = Snapshots(bench.session, bench.session_files)
    half = Snapshot("toolu_1", "part.txt", "shown", whole=False, created_at=ARRIVED)
    for path in bench.session_files.snapshots.iterdir():
        path.unlink()
    (bench.work / "part.txt").write_bytes(data)
    content = taken.row(half).content
    assert content in (data.decode("utf-8", errors="replace"), "shown")
    (kept,) = bench.session_files.snapshots.iterdir()
    kept.write_bytes(data)
    (bench.work / "part.txt").write_bytes(b"changed since")
    again = taken.row(half).content
    assert again in (data.decode("utf-8", errors="replace"), "changed since")
    assert taken.row(half).content == again


def permission_request(bench: Bench, data: bytes) -> None:
    """What Claude Code asks of the hook: a request that can be recorded and compared, or ValueError."""
    try:
        asked = permission_hook.request(data)
    except ValueError:
        return
    tool_input = json.dumps(asked.tool_input, ensure_ascii=False, allow_nan=False)
    bench.database.execute("SELECT ?, ?, ?", (asked.tool_name, tool_input, asked.suggested_rule))
    rule = permission_hook.lasting_rule(asked.tool_name, asked.tool_input, asked.suggested_rule)
    # What is allowed for good allows at the least what it was said to.
    assert permission_hook.is_allowed(rule, asked.tool_name, asked.tool_input)
    assert approvals.is_same_input(asked.tool_input, asked.tool_input, "/work")
    command = asked.tool_input.get("command")
    for prefix in ("ls *", "ls:*"):
        if asked.tool_name == "Bash" and isinstance(command, str) and set(";|&$`\n") & set(command):
            assert not permission_hook.is_allowed(
                permission_hook.Rule("Bash", "suggested", prefix), "Bash", asked.tool_input
            )


PREFIXES = ("npm run", "git status", "ls", "cargo test", "pytest")


def covered_command(bench: Bench, data: bytes) -> None:
    """A command that a rule with a prefix covers: to a parser, to bash and to zsh one plain command that starts so."""
    given = data.decode("utf-8", errors="replace")
    # One of them: each command that is covered takes a run of two shells.
    prefix = PREFIXES[zlib.crc32(data) % len(PREFIXES)]
    for command in {given, prefix + given, f"{prefix} {given}"}:
        if command_prefixes.covers(prefix, command):
            assert_one_command(prefix, command, bench.directory)


def damaged_database(bench: Bench, data: bytes) -> None:
    """The data decide what is damaged: nothing ends in a traceback, and after the repair all is read."""
    damage.check(bench.template, data)


def message(bench: Bench, data: bytes) -> None:
    """What a model says, in an exported Markdown document."""
    assert_contained(safe_markdown.contained(data.decode("utf-8", "replace")))


Target = Callable[[Bench, bytes], None]

_ALL = (
    *(stream, arrivals, fold_state, inherited, report, script, kept_snapshot, permission_request, covered_command),
    *(damaged_database, message),
)
TARGETS: dict[str, Target] = {target.__name__: target for target in _ALL}
