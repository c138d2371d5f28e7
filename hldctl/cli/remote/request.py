"""What the machine where a command is typed asks the machine that runs it, and how a request travels."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hldctl.cli.resumption import Position
from hldctl.errors import UnfitEnvironment

PROTOCOL = 1
"""Raised by changes that an older hldctl there would not understand."""
COMMAND = "_serve"
"""The hidden command that takes a request."""
ON_STANDARD_INPUT, IN_FILE = "-", "@"
"""The argument of the hidden command, or its first character, if it is not the request itself."""


class Request(NamedTuple):
    words: list[str]
    """The command line. A word that names a file of the request is FILE_WORD with its number."""
    files: Sequence[bytes] = ()
    host: str = ""
    """What the machine that runs the command is called where it was typed."""
    standard_input: bytes | None = None
    """None for no input."""
    environment: Mapping[str, str] = {}
    """Variables of the machine where the command was typed."""
    is_attended: bool = False
    """True if a person is at the terminal where the command was typed."""
    ends_with_link: bool = False
    """True if the command is of no use once nobody reads it: it gets SIGHUP when the connection ends."""
    is_resumable: bool = False
    """True if the output shall have marks."""
    position: Position | None = None
    """Where a resumed command continues."""
    completes: bool = False
    """True if the words are an incomplete command line whose candidates are asked for."""


FILE_WORD = "\0file "
"""No argument can contain a NUL byte."""


def encode(request: Request) -> bytes:
    """Return the request as one line of ASCII, without quotes or blanks, which any shell leaves alone."""
    import zlib

    value = request._asdict() | {
        "protocol": PROTOCOL,
        "files": [base64.b64encode(content).decode() for content in request.files],
        "standard_input": None if request.standard_input is None else base64.b64encode(request.standard_input).decode(),
        "position": None if request.position is None else request.position.to_json(),
    }
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(value).encode(), 1))


def decode(data: bytes) -> Request:
    """Return the request; raise UnfitEnvironment for one of a newer hldctl, or for other data."""
    import zlib

    try:
        value: dict[str, Any] = json.loads(zlib.decompress(base64.urlsafe_b64decode(data)))
        protocol = value.pop("protocol")
    except (ValueError, KeyError, zlib.error):
        raise UnfitEnvironment("This command is for `hldctl --host` alone.") from None
    if protocol > PROTOCOL:
        from hldctl.version import __version__

        raise UnfitEnvironment(f"hldctl {__version__} on this machine is too old for the one that asks; update it.")
    given = value["standard_input"]
    position = value["position"]
    known = {name: value[name] for name in Request._fields if name in value}
    return Request(**known)._replace(
        files=[base64.b64decode(content) for content in value["files"]],
        standard_input=None if given is None else base64.b64decode(given),
        position=None if position is None else Position.from_json(position),
    )
