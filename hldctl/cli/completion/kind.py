"""What can stand in a place of the command line, beside fixed choices and the kinds of sessions."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    REQUEST = "request"
    NAME = "name"
    GROUP = "group"
    TOOL = "tool"
    FILE = "file"
    DIRECTORY = "directory"
    TEXT = "text"
