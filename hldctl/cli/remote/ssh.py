"""The ssh command: the program, its options, the connection that commands share, and what its failures mean.

Names, keys, users and jumps are ssh's matter, and what the user's configuration says takes precedence.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hldctl.errors import BadUsage, UnfitEnvironment

VARIABLE = "HLDCTL_SSH"
FAILURE = 255
"""The exit code of ssh itself."""
NOT_FOUND = 127
"""The exit code of the shell there without hldctl."""

_PERSIST_SECONDS = 60
_CONNECT_SECONDS = 15
_ALIVE_SECONDS = 10
# A path of a socket has 104 bytes on macOS; ssh adds up to 17 while it creates one.
_MAX_SOCKET_PATH = 104 - 18
# Any login shell runs this: no quotes, backslashes or exclamation marks within the single quotes. pipx installs into
# ~/.local/bin, which shells often add to PATH for logins alone.
_SCRIPT = (
    "exec sh -c '"
    'case ":$PATH:" in *":$HOME/.local/bin:"*) ;; *) PATH="$PATH:$HOME/.local/bin" ;; esac; export PATH; '
    "command -v hldctl >/dev/null 2>&1 || "
    '{ found=$("${SHELL:-sh}" -lc "command -v hldctl" </dev/null 2>/dev/null | tail -n 1); '
    f'[ -x "$found" ] || exit {NOT_FOUND}; PATH="$PATH:${{found%/*}}"; }}; '
    'exec hldctl "$@"'
    "' hldctl"
)
_STORE_SCRIPT = 'exec sh -c \'umask 077; file=$(mktemp) && cat >"$file" && echo "hldctl-request $file"\''
STORED = "hldctl-request "
"""What the script that stores its input prints before the name of the file."""
# Beginnings of the reasons for which ssh did not get as far as running a command.
_BEFORE_COMMAND = (
    *("connect to host", "Could not resolve hostname", "Host key verification failed", "No route to host"),
    *("kex_exchange_identification", "Bad configuration", "Too many authentication failures", "Unable to negotiate"),
    *("Connection timed out during banner exchange", "banner exchange", "ssh_exchange_identification"),
)
_REFUSALS = ("Permission denied", "Host key verification failed", "Too many authentication failures")


def run_script(*words: str) -> str:
    """Return the command for the shell there that runs hldctl. The words must need no quoting."""
    return " ".join([_SCRIPT, *words])


def store_script() -> str:
    """Return the command for the shell there that stores its input in a private file, and prints its name."""
    return _STORE_SCRIPT


class Ssh:
    """ssh to one machine."""

    def __init__(self, host: str, *, asks: bool, connect_seconds: int = _CONNECT_SECONDS) -> None:
        """`asks` says whether ssh may ask for a password or about a key."""
        self.host = host
        self._program = _program()
        self._directory = _runtime_directory()
        self._options = self._find_options(asks=asks, connect_seconds=connect_seconds)

    def command(self, log: Path, script: str, *, pty: bool) -> list[str]:
        """Return the command that runs a script there. Messages of ssh go to `log`."""
        own = ["-E", str(log), "-tt", "-o", "LogLevel=ERROR"] if pty else ["-E", str(log), "-T"]
        return [*self._program, *own, *self._options, "--", self.host, script]

    @contextmanager
    def log(self) -> Iterator[Path]:
        """Create the file for messages of ssh, and delete it in the end."""
        path = self._directory / f"log-{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        try:
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def _find_options(self, *, asks: bool, connect_seconds: int) -> list[str]:
        # A RemoteCommand and forwarded ports of the user's configuration are for a login.
        options = ["RemoteCommand=none", "ClearAllForwardings=yes", *([] if asks else ["BatchMode=yes"])]
        socket = self._socket()
        configured = {} if socket is not None and socket.exists() else self._configuration()
        if configured.get("connecttimeout", "none") == "none":
            options.append(f"ConnectTimeout={connect_seconds}")
        if configured.get("serveraliveinterval", "0") == "0":
            options.append(f"ServerAliveInterval={_ALIVE_SECONDS}")
        if socket is not None and configured.get("controlpath", "none") == "none":
            options += ["ControlMaster=auto", f"ControlPath={socket}", f"ControlPersist={_PERSIST_SECONDS}"]
        return [word for option in options for word in ("-o", option)]

    def _configuration(self) -> dict[str, str]:
        """Return the user's options for this machine."""
        done = self._run("-G", "--", self.host)
        return dict(line.split(" ", 1) for line in done.splitlines() if " " in line)

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [*self._program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise program_error(self._program[0], error) from None
        return done.stdout

    def _socket(self) -> Path | None:
        """Return the path of the shared connection's socket; None if it would be too long for a socket."""
        identity = "\0".join([*self._program, self.host, os.environ.get("HOME", "")])
        path = self._directory / hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return path if len(os.fsencode(path)) <= _MAX_SOCKET_PATH else None


def program_error(program: str, error: OSError) -> UnfitEnvironment:
    """Return the error for a program that cannot be started."""
    reason = error.strerror or error
    return UnfitEnvironment(f"Cannot run {program}: {reason}. Install OpenSSH, or set ${VARIABLE} to your ssh command.")


def reason(log: Path) -> str:
    """Return why ssh failed, in its own words; empty if it did not say."""
    with contextlib.suppress(OSError):
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        # The last line may be a consequence, such as that the connection was closed.
        best = [line for line in lines if _names_cause(line)] or lines
        if best:
            return best[-1].removeprefix("ssh: ").rstrip(".")
    return ""


def is_before_command(text: str) -> bool:
    """Return whether this reason means that no command was run there."""
    return is_refusal(text) or text.startswith(_BEFORE_COMMAND) or " port " in text.partition(" by ")[2]


def is_refusal(text: str) -> bool:
    """Return whether this reason does not go away by itself."""
    return any(refusal in text for refusal in _REFUSALS)


def _names_cause(line: str) -> bool:
    return is_before_command(line.removeprefix("ssh: ")) or "Timeout, server" in line


def _program() -> list[str]:
    """Return the words of $HLDCTL_SSH, else `ssh`."""
    try:
        words = shlex.split(os.environ.get(VARIABLE, ""))
    except ValueError:
        raise BadUsage(f"${VARIABLE} has an unclosed quote; set it to a command such as: ssh -p 2222.") from None
    return [os.path.expanduser(word) for word in words] or ["ssh"]


def _runtime_directory() -> Path:
    """Return a private directory with a short path; raise UnfitEnvironment if there is none."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    path = Path(base, "hldctl") if base and len(base) <= 50 and os.path.isdir(base) else _in_tmp()
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise UnfitEnvironment(f"Cannot create {path}: {error.strerror or error}.") from None
    # Another user may have created it in the shared directory.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise UnfitEnvironment(f"{path} is not a private directory of yours; remove it, or set XDG_RUNTIME_DIR.")
    return path


def _in_tmp() -> Path:
    return Path(f"/tmp/hldctl-{os.geteuid()}")  # noqa: S108  its owner and mode are checked
