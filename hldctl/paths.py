"""Where hldctl keeps its state, and the names of a session's files."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hldctl.errors import UnfitEnvironment

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600
COMMAND_TOKEN = "HLDCTL_COMMAND_TOKEN"  # noqa: S105  the name of a variable
"""The variable with the token of a command of the user's that hldctl runs; see `store.command_tokens`."""
OF_OTHERS = 0o077
"""The mode bits that let other users in."""

_SESSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_NAMES = ("migration.lock", "claude-version.json", "sessions", "prune.log", "queue.signal")
_BEGINNINGS = ("hldctl.db", "lock-trial-")
"""What hldctl keeps in its state directory, by whole names and by beginnings of names."""


def is_session_id(text: str) -> bool:
    """Return whether that has the form of a session's id, a UUID as hldctl writes it."""
    return _SESSION_ID.fullmatch(text) is not None


@dataclass(frozen=True)
class SessionFiles:
    """The files of one session; `journal`, `errors` and `log` have names that scripts rely on."""

    directory: Path

    @property
    def journal(self) -> Path:
        """What Claude Code wrote to its standard output, byte for byte."""
        return self.directory / "stdout.jsonl"

    @property
    def errors(self) -> Path:
        """What Claude Code wrote to its standard error."""
        return self.directory / "stderr.log"

    @property
    def log(self) -> Path:
        return self.directory / "supervisor.log"

    @property
    def prompt(self) -> Path:
        return self.directory / "prompt.txt"

    @property
    def session_record(self) -> Path:
        """The session's row as it was made, should the database be lost."""
        return self.directory / "session.json"

    def answer(self, approval_id: str) -> Path:
        """Touched when the request has been answered; it is there for as long as the hook waits."""
        return self.directory / "approvals" / approval_id

    @property
    def arrival_times(self) -> Path:
        """When the bytes of the journal were seen, so that a second fold gives the same times."""
        return self.directory / "arrival-times"

    @property
    def lock(self) -> Path:
        """Held by the session's supervisor for as long as it lives; never unlinked while the session exists."""
        return self.directory / "lock"

    @property
    def wake_signal(self) -> Path:
        """Touched by whoever has something for the supervisor in the database."""
        return self.directory / "wake.signal"

    @property
    def wake_answer(self) -> Path:
        """Its time is that of the `wake.signal` that the supervisor last acted on: this shows whether it responds."""
        return self.directory / "wake.answer"

    @property
    def change_signal(self) -> Path:
        """Touched after each commit about this session, for those who follow it."""
        return self.directory / "changed.signal"

    @property
    def cgroup(self) -> Path:
        """The path of the session's own cgroup, if it has one."""
        return self.directory / "cgroup"

    @property
    def mcp_config(self) -> Path:
        return self.directory / "mcp.json"

    @property
    def claude_settings(self) -> Path:
        return self.directory / "settings.json"

    @property
    def settings_with_hook(self) -> Path:
        """The user's settings with hldctl's permission hook; continuations inherit the user's own."""
        return self.directory / "settings-with-hook.json"

    @property
    def settings_with_marks(self) -> Path:
        """The user's settings with the session's marks, for a session without hldctl's permission hook."""
        return self.directory / "settings-with-marks.json"

    @property
    def environment(self) -> Path:
        """The variables given with --env, for continuations."""
        return self.directory / "environment.json"

    @property
    def request(self) -> Path:
        """The launch as it was asked for, its environment too, while Claude Code may still have to be started."""
        return self.directory / "request.json"

    @property
    def rehearsal(self) -> Path:
        return self.directory / "rehearsal.txt"

    @property
    def settings_for_rehearsal(self) -> Path:
        """The settings with what makes Claude Code talk to the script."""
        return self.directory / "settings-rehearsal.json"

    @property
    def rehearsal_state(self) -> Path:
        return self.directory / "rehearsal-state.json"

    @property
    def restart_prompt(self) -> Path:
        """What Claude Code is told when it is started again."""
        return self.directory / "continue.txt"

    @property
    def on_end_script(self) -> Path:
        """The `on_end` command, for a shell: in its arguments every local user could read it."""
        return self.directory / "on-end.sh"

    @property
    def on_approval_script(self) -> Path:
        return self.directory / "on-approval.sh"

    @property
    def on_end_started(self) -> Path:
        """Made by the process that runs the `on_end` command, just before it does: there is one such process."""
        return self.directory / "on-end.started"

    @property
    def snapshots(self) -> Path:
        """Files that were read in part, whole and as they were then: the disk may have changed by another fold."""
        return self.directory / "snapshots"

    @property
    def system_prompt(self) -> Path:
        return self.directory / "system-prompt.txt"

    @property
    def append_system_prompt(self) -> Path:
        return self.directory / "append-system-prompt.txt"

    def require_own(self) -> None:
        """Raise UnfitEnvironment if the directory or a file in it belongs to another user; a missing one is fine.

        The files say which programs are run, with which environment.
        """
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self.require_own_directory()
            try:
                with os.scandir(self.directory) as entries:
                    for entry in entries:
                        _require_own(entry.path, entry.stat(follow_symlinks=False))
            except PermissionError as error:
                raise unusable(self.directory, error) from None

    def require_own_directory(self) -> None:
        """Raise UnfitEnvironment if the directory belongs to another user: a single stat, for all commands."""
        if (status := _status(self.directory)) is not None:
            _require_own(self.directory, status)

    def is_own_directory(self) -> bool:
        """Return whether the directory is this user's, or missing."""
        status = _status(self.directory)
        return status is None or status.st_uid == os.geteuid()

    def is_gone(self) -> bool:
        """Return whether the directory was deleted or moved; one that cannot be looked at for now is not gone."""
        try:
            return _status(self.directory) is None
        except (UnfitEnvironment, OSError):
            return False


@dataclass(frozen=True)
class StateDirectory:
    """`$HLDCTL_HOME` or what stands for it."""

    root: Path
    is_settled: bool = False
    """Whether the directory is known to exist: neither it nor its database is made a second time then."""

    @property
    def database(self) -> Path:
        return self.root / "hldctl.db"

    @property
    def migration_lock(self) -> Path:
        return self.root / "migration.lock"

    @property
    def claude_version(self) -> Path:
        """Which version the Claude Code binary has, as it was last asked."""
        return self.root / "claude-version.json"

    @property
    def sessions(self) -> Path:
        return self.root / "sessions"

    @property
    def prune_log(self) -> Path:
        """What the last automatic prune said; its time is when that was begun, or ended."""
        return self.root / "prune.log"

    @property
    def queue_signal(self) -> Path:
        """Touched when a session ends, for those that wait for its name or slot."""
        return self.root / "queue.signal"

    def session(self, session_id: str) -> SessionFiles:
        return SessionFiles(self.sessions / session_id)

    def settled(self) -> StateDirectory:
        """Return the directory as one that is there: should it be deleted or moved, it is not made again, empty."""
        return replace(self, is_settled=True)

    def prepare(self) -> None:
        """Make the directory, private to its owner, if it is missing; raise UnfitEnvironment if it is not safe to use.

        It holds prompts, conversations, secrets, and commands that are run: it has to be this user's alone. An existing
        directory that is open to others is closed only if it holds hldctl's state and nothing else, and refused
        otherwise: an empty one may be the mount point or the home of something.
        """
        try:
            try:
                status = os.stat(self.root)
            except FileNotFoundError:
                if self.is_settled:
                    raise
                self.root.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
                status = os.stat(self.root)
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        except OSError as error:
            raise unusable(self.root, error) from None
        self._require_own(status)
        if status.st_mode & OF_OTHERS:
            self._close_to_others()

    def require_own(self) -> None:
        """Raise UnfitEnvironment if the directory, the database or the directory of sessions belongs to another user;
        make and change nothing.
        """
        if (status := _status(self.root)) is not None:
            self._require_own(status)

    def _require_own(self, status: os.stat_result) -> None:
        if status.st_uid != os.geteuid():
            owner, own = _user(status.st_uid), _user(os.geteuid())
            raise UnfitEnvironment(
                f"{self.root} belongs to {owner}, but hldctl runs as {own}, and uses no state of another user. "
                f"Run it as {owner}, or name another directory in HLDCTL_HOME."
            )
        for path in (self.database, self.sessions):
            with contextlib.suppress(OSError):
                _require_own(path, os.stat(path))

    def _close_to_others(self) -> None:
        """Take the directory's permissions from others, by a descriptor, so that no other directory is changed."""
        try:
            directory = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                status = os.fstat(directory)
                is_shared = bool(status.st_mode & stat.S_ISVTX)
                is_closed = not is_shared and _is_clearly_own(directory, status)
                if is_closed:
                    os.fchmod(directory, stat.S_IMODE(status.st_mode) & ~OF_OTHERS)
            finally:
                os.close(directory)
        except OSError as error:
            raise unusable(self.root, error) from None
        if is_closed:
            return
        another = f"Name a directory of its own in HLDCTL_HOME, such as {self.root / 'hldctl'}"
        if is_shared:
            raise UnfitEnvironment(f"{self.root} is shared with other users: its sticky bit is set. {another}.")
        raise UnfitEnvironment(
            f"{self.root} is open to other users, and is not hldctl's alone. {another}, "
            f"or, if nobody else needs it, run `chmod {PRIVATE_DIRECTORY:o} {self.root}`."
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StateDirectory:
        """Raises UnfitEnvironment where neither HLDCTL_HOME, XDG_STATE_HOME nor a home directory is known."""
        variable = cls.variable_name(environment)
        if variable == "HLDCTL_HOME":
            return cls(_absolute(environment[variable]))
        if variable == "XDG_STATE_HOME":
            return cls(Path(environment[variable]) / "hldctl")
        try:
            return cls(Path.home() / ".local" / "state" / "hldctl")
        except RuntimeError:
            raise UnfitEnvironment("There is no home directory here; name a state directory in HLDCTL_HOME.") from None

    @staticmethod
    def variable_name(environment: Mapping[str, str] = os.environ) -> str | None:
        """The variable that says where it is, if one does."""
        if environment.get("HLDCTL_HOME"):
            return "HLDCTL_HOME"
        # The XDG specification: a relative path is to be ignored.
        return "XDG_STATE_HOME" if Path(environment.get("XDG_STATE_HOME", "")).is_absolute() else None


def _absolute(path: str) -> Path:
    try:
        absolute = Path(path).expanduser().absolute()
        str(absolute).encode()
    except (RuntimeError, OSError, UnicodeEncodeError):
        raise UnfitEnvironment(f"HLDCTL_HOME is {path!r}, which is no usable path; name another one.") from None
    return absolute


def _status(directory: Path) -> os.stat_result | None:
    """Return None for a directory that is missing; raise UnfitEnvironment where that cannot be seen."""
    try:
        return os.stat(directory)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise unusable(directory, error) from None


def _require_own(path: Path | str, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        owner, own = _user(status.st_uid), _user(os.geteuid())
        raise UnfitEnvironment(
            f"{path} belongs to {owner}, but hldctl runs as {own}, and uses no state of another user. "
            f"Move it away, or, if you trust what is in it, run `chown -R {own} {path}`."
        )


def _is_clearly_own(directory: int, status: os.stat_result) -> bool:
    """Return whether an open directory is this user's, and holds a database and nothing but what hldctl of this user
    keeps beside it.
    """
    user = os.geteuid()
    if status.st_uid != user:
        return False
    with os.scandir(directory) as entries:
        found = {entry.name: entry.stat(follow_symlinks=False).st_uid for entry in entries}
    return "hldctl.db" in found and all(
        owner == user and (name in _NAMES or name.startswith(_BEGINNINGS)) for name, owner in found.items()
    )


def user_name(number: int) -> str | None:
    """Return a user's name, by the id; None for one that no password file knows, as in a container."""
    # Only here: it is needed for refusals and answers alone.
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return None


def _user(number: int) -> str:
    return user_name(number) or f"user {number}"


def unusable(path: Path, error: OSError) -> UnfitEnvironment:
    reason = error.strerror or str(error)
    return UnfitEnvironment(f"{path} cannot be used: {reason}. Mend that, or name another one in HLDCTL_HOME.")


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that only its owner can read, whatever the umask."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def replace_private(path: Path, data: bytes) -> None:
    """Write a private file whole: a process that reads the one before goes on reading that."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    write_private(temporary, data)
    temporary.replace(path)


def make(path: Path) -> None:
    """An empty file that only its owner can read, unless there is one."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE))


def modified_at(path: Path) -> int | None:
    """In nanoseconds since 1970; None for a file that is gone."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def touch(path: Path | str, moment: int | None = None) -> None:
    """Wakes those who watch the file, who otherwise look a few seconds later; `moment` is in nanoseconds since 1970."""
    # Named, since the kernel's own clock for files may stand still for some milliseconds: two touches are two times.
    moment = time.time_ns() if moment is None else moment
    with contextlib.suppress(OSError):
        os.utime(path, ns=(moment, moment))
