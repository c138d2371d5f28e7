"""The state directory and the files of a session."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from hldctl.errors import UnfitEnvironment
from hldctl.private_files import (
    MODE_BITS_OF_OTHERS,
    PRIVATE_DIRECTORY,
    directory_status,
    require_own_path,
    unusable_path_error,
    user_label,
)

STATE_VARIABLE = "HLDCTL_HOME"
"""The variable that names the state directory."""
COMMAND_TOKEN = "HLDCTL_COMMAND_TOKEN"  # noqa: S105  the name of a variable
"""Environment variable that holds the token of a user command run by hldctl; see `store.command_tokens`."""

_SESSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# The contents of the state directory: file names, and prefixes of file names.
_NAMES = (
    *("migration.lock", "claude-version.json", "sessions", "prune.log", "queue.signal", "trusted-projects.json"),
    *("budget-alerts", "worktrees", "kept", "fleet"),
)
_PREFIXES = ("hldctl.db", "search.", "lock-trial-")


def is_session_id(text: str) -> bool:
    """Return whether the text has the form of a session's id: a UUID in lower case."""
    return _SESSION_ID.fullmatch(text) is not None


class SessionFiles(NamedTuple):
    """The files of one session. Scripts rely on the names of `journal`, `errors` and `log`."""

    directory: Path

    @property
    def journal(self) -> Path:
        """Claude Code's standard output, byte for byte."""
        return self.directory / "stdout.jsonl"

    @property
    def errors(self) -> Path:
        """Claude Code's standard error."""
        return self.directory / "stderr.log"

    @property
    def log(self) -> Path:
        return self.directory / "supervisor.log"

    @property
    def prompt(self) -> Path:
        return self.directory / "prompt.txt"

    @property
    def input(self) -> Path:
        """The named pipe that is Claude Code's standard input."""
        return self.directory / "input"

    @property
    def session_record(self) -> Path:
        """A copy of the session's original row, from which a lost database is rebuilt."""
        return self.directory / "session.json"

    def answer_signal(self, approval_id: str) -> Path:
        """Signal file, touched when the request has been answered. It exists while the hook waits."""
        return self.directory / "approvals" / approval_id

    @property
    def arrival_times(self) -> Path:
        """The times at which the bytes of the journal arrived, so that a replay gives the same times."""
        return self.directory / "arrival-times"

    @property
    def lock(self) -> Path:
        """Lock file, locked by the supervisor while it runs and never unlinked while the session exists."""
        return self.directory / "lock"

    @property
    def wake_signal(self) -> Path:
        """Signal file, touched after a change in the database that the supervisor has to act on."""
        return self.directory / "wake.signal"

    @property
    def wake_answer(self) -> Path:
        """The supervisor's acknowledgement: it gets the time of the `wake.signal` that was last acted on."""
        return self.directory / "wake.answer"

    @property
    def change_signal(self) -> Path:
        """Signal file, touched after each commit about this session, for its followers."""
        return self.directory / "changed.signal"

    @property
    def cgroup(self) -> Path:
        """File that holds the path of the session's cgroup, if it has one."""
        return self.directory / "cgroup"

    @property
    def mcp_config(self) -> Path:
        return self.directory / "mcp.json"

    @property
    def agents(self) -> Path:
        return self.directory / "agents.json"

    @property
    def claude_settings(self) -> Path:
        return self.directory / "settings.json"

    @property
    def settings_with_hook(self) -> Path:
        """The user's settings with hldctl's permission hook; continuations inherit the user's own."""
        return self.directory / "settings-with-hook.json"

    @property
    def settings_with_marks(self) -> Path:
        """The user's settings with the variables that identify the session, if hldctl's permission hook is not used."""
        return self.directory / "settings-with-marks.json"

    @property
    def environment(self) -> Path:
        """The variables given with --env, for continuations."""
        return self.directory / "environment.json"

    @property
    def request(self) -> Path:
        """The launch request with its environment, kept while Claude Code may still have to be started."""
        return self.directory / "request.json"

    @property
    def rehearsal(self) -> Path:
        return self.directory / "rehearsal.txt"

    @property
    def settings_for_rehearsal(self) -> Path:
        """The user's settings with those that make Claude Code use the rehearsal's server."""
        return self.directory / "settings-rehearsal.json"

    @property
    def rehearsal_state(self) -> Path:
        return self.directory / "rehearsal-state.json"

    @property
    def open_lock(self) -> Path:
        """Lock file, locked by `hldctl open` while it has the conversation open."""
        return self.directory / "open.lock"

    @property
    def open_record(self) -> Path:
        """What `hldctl open` will record, or the next command if it is killed; it exists until that is done."""
        return self.directory / "open.json"

    @property
    def open_conversations(self) -> Path:
        """The conversations that the user had in the opened Claude Code, as its hook reports them."""
        return self.directory / "open-conversations.jsonl"

    @property
    def settings_for_open(self) -> Path:
        """The user's settings with the session's variables and that hook."""
        return self.directory / "settings-open.json"

    @property
    def restart_prompt(self) -> Path:
        """The prompt for Claude Code when it is started again."""
        return self.directory / "continue.txt"

    @property
    def check_script(self) -> Path:
        """The `check` command as a shell script."""
        return self.directory / "check.sh"

    def check_output(self, number: int) -> Path:
        """The output of one try of the `check` command, numbered from 1."""
        return self.directory / f"check-{number}.log"

    @property
    def on_end_script(self) -> Path:
        """The `on_end` command as a shell script: every local user could read it in a process's arguments."""
        return self.directory / "on-end.sh"

    @property
    def on_approval_script(self) -> Path:
        return self.directory / "on-approval.sh"

    @property
    def on_end_failure(self) -> Path:
        """The exit code of the `on_end` command, if it has failed."""
        return self.directory / "on-end.failed"

    @property
    def on_approval_failure(self) -> Path:
        """The exit code of the last `on_approval` command that has failed."""
        return self.directory / "on-approval.failed"

    @property
    def budget_script(self) -> Path:
        return self.directory / "on-budget.sh"

    @property
    def budget_failure(self) -> Path:
        """The exit code of the last `on_budget` command that this session's supervisor started and that has failed."""
        return self.directory / "on-budget.failed"

    @property
    def on_end_started(self) -> Path:
        """Marker, created just before the `on_end` command is started, so that it runs only once."""
        return self.directory / "on-end.started"

    @property
    def snapshots(self) -> Path:
        """Complete copies of files that were read in part: they may have changed on disk before a replay."""
        return self.directory / "snapshots"

    @property
    def results(self) -> Path:
        """The results of predecessors that are too long for the query."""
        return self.directory / "results"

    @property
    def system_prompt(self) -> Path:
        return self.directory / "system-prompt.txt"

    @property
    def append_system_prompt(self) -> Path:
        return self.directory / "append-system-prompt.txt"

    def require_own(self) -> None:
        """Raise UnfitEnvironment if the directory or a file in it belongs to another user; a missing one is accepted.

        The files decide which programs are run and with which environment.
        """
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self.require_own_directory()
            try:
                with os.scandir(self.directory) as entries:
                    for entry in entries:
                        require_own_path(entry.path, entry.stat(follow_symlinks=False))
            except PermissionError as error:
                raise unusable_path_error(self.directory, error) from None

    def require_own_directory(self) -> None:
        """Raise UnfitEnvironment if the directory belongs to another user. This costs one stat(2)."""
        if (status := directory_status(self.directory)) is not None:
            require_own_path(self.directory, status)

    def is_own_directory(self) -> bool:
        """Return whether the directory belongs to this user, or is missing."""
        status = directory_status(self.directory)
        return status is None or status.st_uid == os.geteuid()

    def is_gone(self) -> bool:
        """Return whether the directory was deleted or moved; False if it cannot be checked."""
        try:
            return directory_status(self.directory) is None
        except (UnfitEnvironment, OSError):
            return False


class FleetFiles(NamedTuple):
    """The files of this machine's part in a fleet: who it is, and how far its link has come."""

    directory: Path

    @property
    def machine_id(self) -> Path:
        """The machine's UUID, which stays the same when it leaves the fleet and joins again."""
        return self.directory / "machine-id"

    @property
    def joined(self) -> Path:
        """Marker; exists while the machine is in a fleet."""
        return self.directory / "joined"

    @property
    def lock(self) -> Path:
        """Lock file, locked by the link while it runs."""
        return self.directory / "link.lock"

    @property
    def log(self) -> Path:
        return self.directory / "link.log"

    @property
    def reached(self) -> Path:
        """The id of the last row of the feed that is in the record."""
        return self.directory / "reached"

    @property
    def problem(self) -> Path:
        """Why the link cannot write to the record, in a sentence; it exists as long as that is so."""
        return self.directory / "problem"

    @property
    def replicas(self) -> Path:
        """Copies of sessions of other machines, each while a command shows it."""
        return self.directory / "replicas"

    @property
    def intents(self) -> Path:
        """What other machines have asked of this one, a directory each."""
        return self.directory / "intents"

    def intent_lock(self, request: str) -> Path:
        """Lock file with the pid of the process that carries an intent out, locked by it."""
        return self.intents / request / "lock"

    @property
    def has_joined(self) -> bool:
        return os.path.exists(self.joined)


class StateDirectory(NamedTuple):
    """The directory of hldctl's state: `$HLDCTL_HOME` or its default."""

    root: Path
    is_known_to_exist: bool = False
    """True if the directory is known to exist: neither it nor its database is created again."""
    is_replica: bool = False
    """True if it holds copies of other machines' sessions, which are supervised there."""

    @property
    def database(self) -> Path:
        return self.root / "hldctl.db"

    @property
    def search_index(self) -> Path:
        """The index of `hldctl search`, derived from the database."""
        return self.root / "search.db"

    @property
    def search_lock(self) -> Path:
        """Lock file, locked by the process that builds the index while it runs."""
        return self.root / "search.lock"

    @property
    def search_log(self) -> Path:
        """Errors of the last process that built the index."""
        return self.root / "search.log"

    @property
    def migration_lock(self) -> Path:
        return self.root / "migration.lock"

    @property
    def claude_version(self) -> Path:
        """Cache of the Claude Code binary's version."""
        return self.root / "claude-version.json"

    @property
    def sessions(self) -> Path:
        return self.root / "sessions"

    @property
    def prune_log(self) -> Path:
        """Output of the last automatic prune; the file's time is when the prune started, or ended."""
        return self.root / "prune.log"

    @property
    def trusted_projects(self) -> Path:
        """The project files that the user has trusted, each with the hash of its contents."""
        return self.root / "trusted-projects.json"

    @property
    def queue_signal(self) -> Path:
        """Signal file, touched when a session ends, for commands that wait for a name."""
        return self.root / "queue.signal"

    @property
    def budget_alerts(self) -> Path:
        """Markers, each created just before the `on_budget` command of an alert, so that it runs only once."""
        return self.root / "budget-alerts"

    @property
    def kept(self) -> Path:
        """Directory of files that were in a worktree, exist nowhere else, and must not be in a git repository."""
        return self.root / "kept"

    @property
    def fleet(self) -> FleetFiles:
        return FleetFiles(self.root / "fleet")

    def session(self, session_id: str) -> SessionFiles:
        return SessionFiles(self.sessions / session_id)

    def as_existing(self) -> StateDirectory:
        """Return a copy that is known to exist, so that a deleted or moved directory is not created again, empty."""
        return self._replace(is_known_to_exist=True)

    def prepare(self) -> None:
        """Create the directory, private to its owner, if it is missing. Raise UnfitEnvironment if it is not safe.

        It holds prompts, conversations, secrets, and commands that are run, so only this user may have access. If an
        existing directory is open to others, its mode is changed only if it holds nothing except hldctl's state. Any
        other directory is refused: an empty one may be a mount point or the home of something else.
        """
        try:
            try:
                status = os.stat(self.root)
            except FileNotFoundError:
                if self.is_known_to_exist:
                    raise
                self.root.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
                status = os.stat(self.root)
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        except OSError as error:
            raise unusable_path_error(self.root, error) from None
        self._require_own(status)
        if status.st_mode & MODE_BITS_OF_OTHERS:
            self._close_to_others()

    def require_own(self) -> None:
        """Raise UnfitEnvironment if the directory, the database or the directory of sessions belongs to another user.

        Nothing is created or changed.
        """
        if (status := directory_status(self.root)) is not None:
            self._require_own(status)

    def _require_own(self, status: os.stat_result) -> None:
        if status.st_uid != os.geteuid():
            owner, user = user_label(status.st_uid), user_label(os.geteuid())
            raise UnfitEnvironment(
                f"{self.root} belongs to {owner}, but hldctl runs as {user} and does not use another user's state. "
                f"Run it as {owner}, or set HLDCTL_HOME to another directory."
            )
        for path in (self.database, self.sessions):
            with contextlib.suppress(OSError):
                require_own_path(path, os.stat(path))

    def _close_to_others(self) -> None:
        """Revoke other users' access. Raise UnfitEnvironment if the directory may be used for something else.

        This works on a descriptor, so that no other directory is changed by mistake.
        """
        try:
            directory = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                status = os.fstat(directory)
                is_shared = bool(status.st_mode & stat.S_ISVTX)
                is_closed = not is_shared and _is_clearly_own(directory, status)
                if is_closed:
                    os.fchmod(directory, stat.S_IMODE(status.st_mode) & ~MODE_BITS_OF_OTHERS)
            finally:
                os.close(directory)
        except OSError as error:
            raise unusable_path_error(self.root, error) from None
        if is_closed:
            return
        advice = f"Set HLDCTL_HOME to a directory of its own, such as {self.root / 'hldctl'}"
        if is_shared:
            raise UnfitEnvironment(f"{self.root} is shared with other users: its sticky bit is set. {advice}.")
        raise UnfitEnvironment(
            f"{self.root} is open to other users and may be used for something else. {advice}, "
            f"or, if nobody else needs it, run `chmod {PRIVATE_DIRECTORY:o} {self.root}`."
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StateDirectory:
        """Return the state directory. Raise UnfitEnvironment without HLDCTL_HOME, XDG_STATE_HOME and home directory."""
        variable = cls.variable_name(environment)
        if variable == STATE_VARIABLE:
            return cls(_absolute(environment[variable]))
        if variable == "XDG_STATE_HOME":
            return cls(Path(environment[variable]) / "hldctl")
        try:
            return cls(Path.home() / ".local" / "state" / "hldctl")
        except RuntimeError:
            raise UnfitEnvironment("No home directory was found; set HLDCTL_HOME to a state directory.") from None

    @staticmethod
    def variable_name(environment: Mapping[str, str] = os.environ) -> str | None:
        """Return the name of the environment variable that decides the location; None for the default."""
        if environment.get(STATE_VARIABLE):
            return STATE_VARIABLE
        # The XDG specification says to ignore a relative path.
        return "XDG_STATE_HOME" if Path(environment.get("XDG_STATE_HOME", "")).is_absolute() else None


def _absolute(path: str) -> Path:
    try:
        absolute = Path(path).expanduser().absolute()
        str(absolute).encode()
    except (RuntimeError, OSError, UnicodeEncodeError):
        raise UnfitEnvironment(f"HLDCTL_HOME is {path!r}, which is not a usable path; set it to another one.") from None
    return absolute


def _is_clearly_own(directory: int, status: os.stat_result) -> bool:
    """Return whether an open directory belongs to this user and holds a database and other files of hldctl only."""
    user = os.geteuid()
    if status.st_uid != user:
        return False
    with os.scandir(directory) as entries:
        owners = {entry.name: entry.stat(follow_symlinks=False).st_uid for entry in entries}
    return "hldctl.db" in owners and all(
        owner == user and (name in _NAMES or name.startswith(_PREFIXES)) for name, owner in owners.items()
    )
