"""Random damage to a database, and checks that it can be repaired; the input is the seed of the random numbers."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import random
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from hldctl.cli import app
from hldctl.cli.completion import main
from hldctl.contract.finding import Level
from hldctl.doctor import database as doctor
from hldctl.doctor import sessions as sessions_doctor
from hldctl.errors import ExitCode
from hldctl.ingest import session_record
from hldctl.ingest.ingester import Ingester
from hldctl.paths import StateDirectory
from hldctl.private_files import ensure_exists
from hldctl.states import ApprovalStatus, EndReason, Status
from hldctl.store import approvals, connection, sessions
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection, execute, transaction
from hldctl.store.database import open_database
from hldctl.store.recovery.valid_values import TABLES
from tests.fixtures.streams.record import indexes
from tests.helpers.seed_database import session_row

PAGE = 4096
SESSIONS = 6
# The number of the session that has no files, only rows in the database.
WITHOUT_FILES = 5
_TIME_MS = 1_795_377_072_000
_LONGEST_STREAM = 20_000
COMMANDS = (
    *("ls", "ls --json --all", "ls --tree", "show ID", "show ID --json", "show ID --events --json", "tail ID"),
    *("show ID --snapshots", "tail --json ID", "export ID", "export --format html ID", "export --format json ID"),
    *("stats", "stats --by model --json", "approvals", "approvals --all --json", "events", "events --json", "wait ID"),
)
_COMMANDS_EACH = 6
_EXIT_CODES = (ExitCode.DONE, ExitCode.NO_SUCH_SESSION, ExitCode.ENVIRONMENT)


class Template:
    """An intact state directory with ended sessions, of which damaged copies can be made."""

    def __init__(self, root: Path) -> None:
        self.state = StateDirectory(root)
        self.ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(1, SESSIONS + 1)]
        streams = [index.stream(name) for index in indexes() for name in index.streams]
        streams = sorted(
            (path for path in streams if path.stat().st_size < _LONGEST_STREAM), key=lambda path: path.name
        )
        with open_database(self.state):
            for number, session_id in enumerate(self.ids):
                self._create_session(session_id, number, streams[number])
            # Replace the times of recording, so that the bytes are always the same.
            for table, column in (("conversation_events", "created_at"), ("feed", "timestamp")):
                execute(f"UPDATE {table} SET {column} = {_TIME_MS}")
            execute(f"UPDATE sessions SET last_activity_at = {_TIME_MS}, host = 'host'")
            execute("VACUUM")
        shutil.rmtree(self.state.session(self.ids[WITHOUT_FILES]).directory)
        self.intact = self.state.database.read_bytes()
        self.events = self._events()
        with open_database(self.state):
            with transaction():
                execute("UPDATE sessions SET title = 'In the log'")
                execute("UPDATE approvals SET comment = 'In the log, too'")
            self.intact_with_log = self.state.database.read_bytes()
            self.log = Path(f"{self.state.database}-wal").read_bytes()

    def _create_session(self, session_id: str, number: int, stream: Path) -> None:
        files = self.state.session(session_id)
        files.directory.mkdir(parents=True)
        row = session_row(session_id, _TIME_MS + number)
        ended = {name: row.pop(name) for name in ("completed_at", "end_reason", "duration_ms", "exit_code")}
        row |= {"status": str(Status.RUNNING), "title": f"Number {number}", "working_dir": str(files.directory)}
        files.prompt.write_text(str(row["query"]))
        shutil.copyfile(stream, files.journal)
        for path in (files.lock, files.log, files.errors, files.wake_signal, files.change_signal):
            ensure_exists(path)
        session_record.create(session_record.new_session(row, None))
        session = sessions.get(session_id)
        assert session is not None
        recorder = Ingester(session, files)
        recorder.finish()
        recorder.close()
        with transaction():
            for request in range(5):
                self._add_request(session_id, f"{number}{request}-0000", str(ApprovalStatus.APPROVED))
            approvals.add_rule(current_connection(), session_id, ("Bash", "exact", f"ls {number}"))
        sessions.end(session_id, sessions.Ending(Status.COMPLETED, EndReason.SUCCESS, exit_code=0), 1_795_377_099_000)
        assert ended
        session_record.save_current(session_id, files)
        os.utime(files.directory, (1, 1))

    def _add_request(self, session_id: str, approval_id: str, status: str) -> None:
        request = Approval(
            *(approval_id, session_id, session_id, None, "Bash", '{"command": "ls"}', None, status, "Why not", "{}"),
            *("root", 1_795_377_073_000, 1_795_377_074_000, 1, 1, "boot"),
        )
        approvals.record_request(current_connection(), request, "/")

    def _events(self) -> dict[str, list[Any]]:
        with open_database(self.state):
            query = "SELECT * FROM conversation_events WHERE session_id = ? ORDER BY sequence"
            return {session_id: execute(query, (session_id,)).fetchall() for session_id in self.ids}

    def put(self, database: bytes, log: bytes | None) -> None:
        for path in self.state.root.glob("hldctl.db*"):
            path.unlink()
        self.state.database.write_bytes(database)
        if log is not None:
            Path(f"{self.state.database}-wal").write_bytes(log)


def damage(chance: random.Random, template: Template) -> str:
    """Write a database with one to eight kinds of damage; return the kinds."""
    has_log = chance.random() < 0.3
    template.put(template.intact_with_log if has_log else template.intact, template.log if has_log else None)
    kinds = chance.choices(list(_DAMAGES), k=chance.randint(1, 8))
    for kind in sorted(kinds, key=list(_DAMAGES).index):
        _DAMAGES[kind](chance, template.state.database)
    return ", ".join(kinds)


def _statement(chance: random.Random, path: Path) -> None:
    """Write a value that hldctl would never write, in a file that is intact for SQLite."""
    with (
        contextlib.suppress(apsw.Error, UnicodeDecodeError, IndexError),
        contextlib.closing(apsw.Connection(str(path))) as database,
    ):
        table = chance.choice(TABLES)
        rows = [row[0] for row in database.execute(f"SELECT rowid FROM {table}")]
        column = chance.choice([str(row[1]) for row in database.execute(f"PRAGMA table_info({table})")])
        text = chance.choice(("x'54ff'", "x'ff'", "x'edb080'", "x'7b22'", "x'66616c736500'"))
        value = chance.choice(
            (*(f"CAST({text} AS TEXT)",) * 4, "NULL", "-1", "1e300", "9e999", "''", "x'00ff'", "1 << 61")
        )
        database.execute(f"UPDATE {table} SET {column} = {value} WHERE rowid = ?", (chance.choice(rows),))


def _bytes(chance: random.Random, path: Path) -> None:
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for _ in range(chance.choice((1, 1, 4, 16))):
            file.seek(chance.randrange(max(1, size)))
            file.write(chance.randbytes(chance.choice((1, 1, 2, 40))))
        file.truncate(size)


def _text(chance: random.Random, path: Path) -> None:
    """Damage bytes of texts."""
    data = bytearray(path.read_bytes())
    offsets = (chance.randrange(len(data) or 1) for _ in range(60))
    text_offsets = [offset for offset in offsets if data[offset : offset + 3].isalpha()]
    for offset in text_offsets[:3]:
        data[offset] = chance.choice((0xFF, 0x80, 0, 0xED))
    path.write_bytes(data)


def _page(chance: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    pages = len(data) // PAGE
    if pages > 1:
        offset, other = (chance.randrange(pages) * PAGE for _ in range(2))
        content = (bytes(PAGE), b"\xa5" * PAGE, chance.randbytes(PAGE), data[other : other + PAGE])
        data[offset : offset + PAGE] = chance.choice(content)
    path.write_bytes(data)


def _page_header(chance: random.Random, path: Path) -> None:
    """Damage the header of a table's or an index's page: its type, its cells, or the right-most child."""
    with path.open("r+b") as file:
        pages = os.fstat(file.fileno()).st_size // PAGE
        if pages:
            number = chance.randrange(pages)
            file.seek(number * PAGE + (100 if number == 0 else 0) + chance.randrange(12))
            file.write(bytes([chance.choice((0, 2, 5, 10, 13, 0xAB, 255))]))


def _header(chance: random.Random, path: Path) -> None:
    with path.open("r+b") as file:
        if os.fstat(file.fileno()).st_size >= 100:
            file.seek(chance.choice((0, 16, 18, 19, 20, 21, 24, 28, 32, 36, 40, 44, 52, 56, 59, 60, 63, 92)))
            file.write(chance.randbytes(chance.choice((1, 4))))


def _end(chance: random.Random, path: Path) -> None:
    size = path.stat().st_size
    os.truncate(path, chance.choice((0, 1, 99, 100, PAGE, size // PAGE // 2 * PAGE, chance.randrange(size + 1))))


def _log(chance: random.Random, path: Path) -> None:
    log = Path(f"{path}-wal")
    if not log.exists():
        log.write_bytes(chance.randbytes(chance.choice((0, 32, 9000))))
    elif chance.random() < 0.3:
        os.truncate(log, chance.randrange(log.stat().st_size + 1))
    else:
        _bytes(chance, log)


_DAMAGES = {
    "statement": _statement,
    "text": _text,
    "bytes": _bytes,
    "page": _page,
    "page header": _page_header,
    "header": _header,
    "end": _end,
    "log": _log,
}


def run(*arguments: str) -> tuple[int, str, str]:
    """Run the command in this process; return its exit code, standard output and standard error."""
    output, errors = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    code = -1
    umask = os.umask(0o077)
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            app.main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os.umask(umask)
    # A generator that was left by an exception may keep the connection until it is collected.
    if connection.is_open():
        gc.collect()
    for stream in (output, errors):
        stream.flush()
    texts = [stream.buffer.getvalue().decode() for stream in (output, errors)]
    return code, texts[0], texts[1]


def read_all(template: Template, ids: list[str], commands: list[str]) -> Iterator[tuple[str, int, str]]:
    """Run each command, also shell completion; yield its arguments, exit code and standard error."""
    for command in commands:
        for session_id in ids if "ID" in command else ("",):
            arguments = command.replace("ID", session_id)
            code, _, errors = run(*arguments.split())
            assert code in _EXIT_CODES, (arguments, code, errors)
            assert code == ExitCode.DONE or errors, (arguments, code)
            # A note may come before the error message.
            assert all(line.startswith("hldctl: ") for line in errors.splitlines()), (arguments, errors)
            yield arguments, code, errors
    with contextlib.redirect_stdout(io.StringIO()):
        main.main("zsh", ["show", ""])


def check(template: Template, data: bytes) -> None:
    """Damage the database; assert that commands succeed or print an error, and all succeed after the repair."""
    home = os.environ.get("HLDCTL_HOME")
    os.environ["HLDCTL_HOME"] = str(template.state.root)
    try:
        _check(template, random.Random(zlib.crc32(data)))
    finally:
        del os.environ["HLDCTL_HOME"]
        if home is not None:
            os.environ["HLDCTL_HOME"] = home


def _check(template: Template, chance: random.Random) -> None:
    kinds = damage(chance, template)
    ids, commands = [chance.choice(template.ids)], chance.sample(COMMANDS, _COMMANDS_EACH)
    refusals = [errors for _, code, errors in read_all(template, ids, commands) if code == ExitCode.ENVIRONMENT]
    (finding,) = doctor.examine(template.state)
    assert (finding.level is Level.OK) <= (refusals == []), (kinds, finding, refusals[:3])
    if finding.fix is None and "newer hldctl" in finding.message:
        # A damaged schema version cannot be told apart from that of a later version.
        return
    with_files = {session_id for session_id in template.ids if template.state.session(session_id).directory.exists()}
    if finding.level is not Level.OK:
        assert finding.fix is not None, (kinds, finding)
        doctor.rebuild_rows(template.state)
        (finding,) = doctor.examine(template.state)
        assert finding.level is Level.OK, (kinds, finding)
        with open_database(template.state):
            recorded = {row[0] for row in execute("SELECT id FROM sessions").fetchall()}
        # The id of the session without files may be damaged too, and then counts as another session.
        assert with_files <= recorded, (kinds, recorded)
        assert len(recorded) <= SESSIONS, (kinds, recorded)
        for session_id in with_files:
            events = template._events()[session_id]
            assert len(events) == len(template.events[session_id]), (kinds, session_id)
    with open_database(template.state):
        recorded = {row[0] for row in execute("SELECT id FROM sessions").fetchall()}
    if not with_files <= recorded:
        # The file is intact but older; the checks of the sessions find that some are missing.
        by_subject = {finding.subject: finding for finding in sessions_doctor.examine(template.state)}
        assert by_subject["lost rows"].fix is not None, (kinds, by_subject)
        return
    failures = [
        (arguments, errors)
        for arguments, code, errors in read_all(template, ids, commands)
        if code != ExitCode.DONE and template.ids[WITHOUT_FILES] not in arguments
    ]
    assert failures == [], (kinds, failures[:3])
