"""A document as one HTML page that needs no network and runs no script, whatever the conversation holds."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

import hldctl
from hldctl.cli.export import safe_html
from hldctl.cli.export.document import Document

_PIECES = 200
"""Of the template's output at a time: each alone is a few characters."""


def page(document: Document) -> Iterator[str]:
    """Piece by piece, so that a long conversation needs little memory.

    All text is escaped where it is put in; besides, the page forbids itself everything but its own style.
    """
    environment = Environment(
        loader=PackageLoader("hldctl.cli"),
        autoescape=True,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["markdown"] = lambda text: Markup(safe_html.rendered(text))  # noqa: S704  escaped there
    stream = environment.get_template("session.html").stream(document=document, version=hldctl.__version__)
    stream.enable_buffering(_PIECES)
    yield from stream
