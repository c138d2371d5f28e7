"""The address of the record, for what only reads it."""

from __future__ import annotations

from hldctl.config import schema
from hldctl.errors import UnfitEnvironment


def configured_url() -> str:
    """Return the address of the record; raise UnfitEnvironment if none is configured."""
    if (settings := schema.load().fleet) is None:
        raise UnfitEnvironment("This machine is in no fleet; `hldctl fleet join URL` lets it join one.")
    return settings.url
