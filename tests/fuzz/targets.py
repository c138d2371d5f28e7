"""Fuzz targets: each one takes any bytes, and raises if a property does not hold."""

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
from hldctl.cli.render.events.plain import lines as printed_lines
from hldctl.errors import HldctlError, UnfitEnvironment, error_from_exit_code
from hldctl.ingest.arrival_times import ArrivalTimes
from hldctl.ingest.file_snapshots import FileSnapshots
from hldctl.ingest.journal import Batch, JournalReader
from hldctl.ingest.reducer import Reducer, Snapshot
from hldctl.ingest.state import ReducerState
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.protocol.launch_report import LaunchReport
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.rehearsal.script import ScriptError, parse
from hldctl.rehearsal.steps import Call, Wait
from hldctl.sessions import inheritance
from hldctl.store import approvals, file_snapshots, json_view, mcp_servers
from hldctl.store.events import COLUMNS, Event
from hldctl.store.migrations import MIGRATIONS
from hldctl.store.session import COLUMNS as SESSION_COLUMNS
from hldctl.store.session import Session
from hldctl.supervisor.input_files import write_inputs
from hldctl.system.clock import format_rfc3339
from tests.fixtures.streams.expected import split_lines
from tests.fuzz import damage
from tests.fuzz.shells import assert_one_command
from tests.helpers.exported_markdown import assert_contained

ARRIVED = 1795377072000
_INSERT = f"INSERT INTO conversation_events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_COMPLETE = "UPDATE conversation_events SET is_completed = 1 WHERE session_id = ? AND tool_id = ?"
_EVENTS = f"SELECT {', '.join(Event._fields)} FROM conversation_events ORDER BY sequence"
# Characters that a terminal acts on; a tab is allowed.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass
class Bench:
    """A directory and a database for the targets."""

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
        lists = ("additional_directories", "allowed_tools", "disallowed_tools", "extra_arguments", "agent_names")
        unknown: dict[str, Any] = dict.fromkeys(SESSION_COLUMNS)
        return Session.from_columns(
            {**unknown, "id": "session", "working_dir": str(self.work), **dict.fromkeys(lists, ())}
        )

    def close(self) -> None:
        self.database.close()


@dataclass
class Output:
    """The collected output of several reducers."""

    items: list[Any] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    mcp_states: list[tuple[str, str]] = field(default_factory=list)
    completed_tools: list[str] = field(default_factory=list)
    columns: dict[str, Any] = field(default_factory=dict)

    def take(self, fold: Reducer) -> None:
        for name in ("rows", "snapshots", "mcp_states", "completed_tools"):
            getattr(self, name).extend(getattr(fold, name))
        self.columns |= fold.state.columns()


def stream(bench: Bench, data: bytes) -> None:
    """Decode and reduce a journal, in one piece and in many, then store and print the events."""
    fold = Reducer("session", ReducerState())
    for line in split_lines(data):
        fold.apply(line, ARRIVED)
    fold.state.offset = len(data)
    whole = Output()
    whole.take(fold)
    output, state = _reduce_in_pieces(bench, data)
    assert output == whole
    assert _dump_state(state) == _dump_state(fold.state)
    assert [row[1] for row in whole.rows] == list(range(2, len(whole.rows) + 2))
    for event in _store_events(bench, whole):
        json.dumps(json_view.event_object(event), allow_nan=False).encode()
        assert not any(_CONTROL.search(line) for line in printed_lines(event))
    json.dumps(whole.columns, allow_nan=False)


def _dump_state(state: ReducerState) -> str:
    return json.dumps(state.as_json(), allow_nan=False)


def _reduce_in_pieces(bench: Bench, data: bytes) -> tuple[Output, ReducerState]:
    chance = random.Random(zlib.crc32(data))
    output, state = Output(), ReducerState()
    path = bench.session_files.journal
    path.write_bytes(b"")
    reader = JournalReader(path, 0)
    with path.open("ab", buffering=0) as file:
        for piece in _pieces(chance, data):
            file.write(piece)
            while (batch := reader.next_batch()) is not None:
                state = _reduce_batch(batch, state, output)
            if chance.random() < 0.2:
                reader.close()
                reader = JournalReader(path, state.offset)
                # It has to read the beginning of an incomplete line again.
                while (batch := reader.next_batch()) is not None:
                    state = _reduce_batch(batch, state, output)
    if (batch := reader.last_batch()) is not None:
        state = _reduce_batch(batch, state, output)
    reader.close()
    return output, state


def _pieces(chance: random.Random, data: bytes) -> Iterator[bytes]:
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(0, 4)))
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        yield data[start:end]


def _reduce_batch(batch: Batch, state: ReducerState, output: Output) -> ReducerState:
    fold = Reducer("session", state)
    for _, line in batch.lines_with_ends():
        assert isinstance(line, bytes)
        fold.apply(line, ARRIVED)
    fold.state.offset = batch.end
    output.take(fold)
    return ReducerState.from_json(json.loads(_dump_state(fold.state)), fold.state.result_content)


def _store_events(bench: Bench, output: Output) -> list[Event]:
    """Write the whole output to the database; return the events as read from it."""
    cursor = bench.database.cursor()
    cursor.execute("BEGIN")
    try:
        cursor.executemany(_INSERT, output.rows)
        cursor.executemany(mcp_servers.SET_STATUS, [("session", *pair) for pair in output.mcp_states])
        cursor.executemany(_COMPLETE, [("session", tool) for tool in output.completed_tools])
        cursor.executemany(
            file_snapshots.INSERT, [("session", *snapshot[:3], ARRIVED) for snapshot in output.snapshots]
        )
        if output.columns:
            values = tuple(output.columns.values())
            assert cursor.execute(f"SELECT {', '.join('?' * len(values))}", values).fetchone() == values
        return [Event._make(row) for row in cursor.execute(_EVENTS)]
    finally:
        cursor.execute("ROLLBACK")


def arrivals(bench: Bench, data: bytes) -> None:
    """Read a file of arrival times: whatever its content, each byte has a time, always the same one."""
    chance = random.Random(zlib.crc32(data))
    path = bench.session_files.arrival_times
    path.write_bytes(data)
    offsets = sorted(chance.randint(1, 1 << chance.choice((4, 10, 40))) for _ in range(5))
    first = _times(path, offsets, start=0)
    assert all(isinstance(time_ms, int) and len(format_rfc3339(time_ms) or "") == 24 for time_ms in first)
    index = chance.randrange(len(offsets))
    assert _times(path, offsets[index:], start=offsets[index] - 1) == first[index:]
    assert _times(path, offsets, start=0) == first


def _times(path: Path, offsets: list[int], start: int) -> list[int]:
    marks = ArrivalTimes(path, start)
    try:
        times = []
        for offset in offsets:
            marks.cover(offset)
            times.append(marks.find_mark(offset)[1])
        return times
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
    """Load a reducer state from the database, also of an older or newer hldctl, and continue with it."""
    try:
        stored = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(stored, dict) or not _has_valid_types(stored):
        return
    state = ReducerState.from_json(stored, None)
    assert ReducerState.from_json(json.loads(json.dumps(state.as_json())), None) == state
    fold = Reducer("session", state)
    for line in _LINES:
        fold.apply(line, ARRIVED)
    assert state.lines == stored.get("lines", 0) + len(_LINES)
    assert len(state.unknown_lines) <= max(51, 1 + len(stored.get("unknown_lines", ())))
    state.columns()


def _has_valid_types(stored: dict[str, Any]) -> bool:
    """Return whether each known value has a type that a reducer could have stored."""
    return all(_fits(stored[member.name], str(member.type)) for member in fields(ReducerState) if member.name in stored)


def _fits(value: Any, kind: str) -> bool:
    return any(_KINDS[name](value) for name in kind.split(" | "))


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
    "dict[str, float]": lambda value: _is_map(value, _KINDS["float"]),
    "dict[str, int]": lambda value: _is_map(value, _is_number),
    "dict[str, str]": lambda value: _is_map(value, lambda item: isinstance(item, str)),
    "dict[str, dict[str, Any]]": lambda value: _is_map(value, lambda item: isinstance(item, dict)),
    "dict[str, tuple[str, bool]]": lambda value: _is_map(
        value, lambda item: isinstance(item, list) and [type(part) for part in item] == [str, bool]
    ),
    "list[JsonObject]": lambda value: _is_list(value, lambda item: isinstance(item, dict)),
    "tuple[Any, ...]": lambda value: isinstance(value, list) and len(value) == 8,
}


def inherited(bench: Bench, data: bytes) -> None:
    """Load the private files that `continue` inherits: UnfitEnvironment, or a valid launch request."""
    files = bench.session_files
    sources = (files.environment, files.mcp_config, files.claude_settings, files.agents)
    for path in sources:
        path.unlink(missing_ok=True)
    sources[zlib.crc32(data) % len(sources)].write_bytes(data)
    try:
        settings = inheritance.claude_settings(bench.state, bench.session)
    except UnfitEnvironment:
        return
    request = LaunchRequest("session", "run", "Hello", "Hello", "claude", 0o77, settings)
    received = LaunchRequest.from_bytes(request.to_bytes())
    assert json.dumps(received.settings.environment) == json.dumps(settings.environment)
    write_inputs(received, files, bench.state)
    for server in mcp.parse_servers(received.settings.mcp_config):
        bench.database.execute("SELECT ?, ?, ?, ?", (server.name, server.transport, server.command, server.url))
    variables = environment.session_environment(
        {}, received.settings.environment, session_id="session", run_id="run", state_directory=bench.directory
    )
    assert not any("\0" in name + value or "=" in name for name, value in variables.items())
    command_line.build_command(
        "claude", received.settings, files, conversation=["--session-id", "session"], hooked=False
    )
    command_line.build_interactive_command("claude", received.settings, files, "session", asks=False)


def report(_: Bench, data: bytes) -> None:
    """Parse the output of a supervisor: its report, or a report that there was none."""
    parsed = LaunchReport.from_bytes(data)
    assert isinstance(parsed.session_id, str)
    if parsed.error is not None:
        assert isinstance(error_from_exit_code(parsed.exit_code, parsed.error), HldctlError)


def script(_: Bench, data: bytes) -> None:
    """Parse a rehearsal script: a valid one, or ScriptError."""
    try:
        parsed = parse(data.decode("utf-8", errors="replace"))
    except ScriptError:
        return
    for turn in (*parsed.turns, *parsed.turns_for("Hello")):
        for step in turn:
            assert not isinstance(step, Wait) or step.seconds < 1e9
            assert not isinstance(step, Call) or json.dumps(step.input)


def kept_snapshot(bench: Bench, data: bytes) -> None:
    """Keep a file that was read in part: the whole content, or only the part that was shown."""
    snapshots = FileSnapshots(bench.session, bench.session_files)
    partial = Snapshot("toolu_1", "part.txt", "shown", is_complete=False, created_at=ARRIVED)
    for path in bench.session_files.snapshots.iterdir():
        path.unlink()
    (bench.work / "part.txt").write_bytes(data)
    content = snapshots.build_row(partial).content
    assert content in (data.decode("utf-8", errors="replace"), "shown")
    (file,) = bench.session_files.snapshots.iterdir()
    file.write_bytes(data)
    (bench.work / "part.txt").write_bytes(b"changed since")
    second = snapshots.build_row(partial).content
    assert second in (data.decode("utf-8", errors="replace"), "changed since")
    assert snapshots.build_row(partial).content == second


def permission_request(bench: Bench, data: bytes) -> None:
    """Parse a request to the hook: one that can be recorded and compared, or ValueError."""
    try:
        request = permission_hook.parse_request(data)
    except ValueError:
        return
    tool_input = json.dumps(request.tool_input, ensure_ascii=False, allow_nan=False)
    bench.database.execute("SELECT ?, ?, ?", (request.tool_name, tool_input, request.suggested_rule))
    rule = permission_hook.lasting_rule(request.tool_name, request.tool_input, request.suggested_rule)
    # A lasting rule allows at least the call that it was made for.
    assert permission_hook.is_allowed(rule, request.tool_name, request.tool_input)
    assert approvals.is_same_input(request.tool_input, request.tool_input, "/work")
    command = request.tool_input.get("command")
    for prefix in ("ls *", "ls:*"):
        if request.tool_name == "Bash" and isinstance(command, str) and set(";|&$`\n") & set(command):
            assert not permission_hook.is_allowed(
                permission_hook.Rule("Bash", "suggested", prefix), "Bash", request.tool_input
            )


PREFIXES = ("npm run", "git status", "ls", "cargo test", "pytest")


def covered_command(bench: Bench, data: bytes) -> None:
    """Check commands against a prefix: a covered one is one plain command for a parser, bash and zsh."""
    text = data.decode("utf-8", errors="replace")
    # Only one prefix, since two shells are run for each covered command.
    prefix = PREFIXES[zlib.crc32(data) % len(PREFIXES)]
    for command in {text, prefix + text, f"{prefix} {text}"}:
        if command_prefixes.covers(prefix, command):
            assert_one_command(prefix, command, bench.directory)


def damaged_database(bench: Bench, data: bytes) -> None:
    """Damage a database, as decided by the data: no command ends in a traceback, and all work after the repair."""
    damage.check(bench.template, data)


def message(bench: Bench, data: bytes) -> None:
    """Export a message of the model in a Markdown document."""
    assert_contained(safe_markdown.to_safe_markdown(data.decode("utf-8", "replace")))


Target = Callable[[Bench, bytes], None]

_ALL = (
    *(stream, arrivals, fold_state, inherited, report, script, kept_snapshot, permission_request, covered_command),
    *(damaged_database, message),
)
TARGETS: dict[str, Target] = {target.__name__: target for target in _ALL}
