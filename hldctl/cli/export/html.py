"""The export as one HTML page that needs no network and runs no script, whatever the conversation contains."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hldctl.cli.export import safe_html
from hldctl.cli.export.document import Document
from hldctl.version import __version__

# Pieces of the template's output that are yielded as one: each piece is only a few characters.
_BUFFERED_PIECES = 200


def page(document: Document) -> Iterator[str]:
    """Yield the page in pieces, so that a long conversation needs little memory.

    All text is escaped where it is inserted; in addition, the page's content security policy allows only its own style.
    """
    environment = Environment(
        loader=PackageLoader("hldctl.cli"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["markdown"] = lambda text: Markup(safe_html.render_html(text))  # noqa: S704  escaped there
    stream = environment.get_template("session.html").stream(document=document, version=__version__)
    stream.enable_buffering(_BUFFERED_PIECES)
    yield from stream
