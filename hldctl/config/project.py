"""A project's own settings, `.hldctl.toml`: where the file is, and its contents.

Anybody may have written it: a repository is cloned, and Claude Code works in it. See `layers` for what it may set.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from hldctl.config import schema
from hldctl.errors import BadUsage

FILE_NAME = ".hldctl.toml"
_MAX_BYTES = 1 << 20


class Unusable(StrEnum):
    """Why a project's file is not read."""

    LINK = "link"
    OTHER_USER = "other_user"
    NOT_A_FILE = "not_a_file"


class ProjectFile(NamedTuple):
    """The file of a project."""

    path: Path
    """Without symbolic links."""
    data: bytes = b""
    unusable: Unusable | None = None

    def parse(self) -> Project:
        """Parse the file and validate its keys; raise BadUsage if it is not valid."""
        from hldctl.config.profiles import TABLE, parse_options, validate_profiles

        try:
            text = self.data.decode("utf-8")
        except ValueError as error:
            raise BadUsage(f"{self.path} cannot be read: {error}.") from None
        values = schema.parse_toml(self.path, text)
        profiles = values.pop(TABLE, {})
        if not isinstance(profiles, dict):
            raise BadUsage(f"{self.path}: {TABLE} must be {schema.KEYS[TABLE].expected}, not {profiles!r}.")
        parse_options(self.path, values)
        validate_profiles(self.path, profiles)
        return Project(self.path, values, profiles)


class Project(NamedTuple):
    """The contents of a project's file, validated."""

    path: Path
    values: Mapping[str, Any]
    """Options by key, as parsed from TOML."""
    profiles: Mapping[str, Mapping[str, Any]]


def find_file(working_dir: str) -> ProjectFile | None:
    """Return the file that is found from the directory; raise BadUsage if it cannot be read."""
    path = find_path(working_dir)
    return None if path is None else _read(path)


def find_path(working_dir: str) -> Path | None:
    """Return the path of the nearest file, from the directory upwards; None without one.

    The search ends with the root of the repository, or with the home directory. Outside of both, only the directory
    itself is searched.
    """
    try:
        start = Path(working_dir).expanduser().resolve()
        home = Path.home().resolve()
    except (OSError, ValueError, RuntimeError):
        # The current directory is gone, or no path can look like this: the launch reports that.
        return None
    paths = (directory / FILE_NAME for directory in _directories(start, home))
    return next((path for path in paths if os.path.lexists(path)), None)


def _directories(start: Path, home: Path) -> list[Path]:
    """Return the directories to search, the nearest first."""
    directories = [start, *start.parents]
    for number, directory in enumerate(directories[:-1], 1):
        # In a linked worktree and in a submodule, .git is a file.
        if directory == home or os.path.lexists(directory / ".git"):
            return directories[:number]
    return [start]


def _read(path: Path) -> ProjectFile:
    try:
        # Without O_NONBLOCK, a named pipe would block.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid():
                return ProjectFile(path, unusable=Unusable.OTHER_USER)
            if not stat.S_ISREG(status.st_mode):
                return ProjectFile(path, unusable=Unusable.NOT_A_FILE)
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        if (reason := _unusable(path)) is not None:
            return ProjectFile(path, unusable=reason)
        raise BadUsage(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(data) > _MAX_BYTES:
        raise BadUsage(f"{path} is larger than 1 MiB; remove what is not a setting.")
    return ProjectFile(path, data)


def _unusable(path: Path) -> Unusable | None:
    """Return why a file that cannot be opened is not used; None if it is the user's own."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return Unusable.LINK
    if status.st_uid != os.geteuid():
        return Unusable.OTHER_USER
    return None if stat.S_ISREG(status.st_mode) else Unusable.NOT_A_FILE
