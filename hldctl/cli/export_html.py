"""A transcript as one HTML page that needs no network and runs no script, whatever the transcript holds."""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import Environment, PackageLoader

from hldctl.cli import transcript
from hldctl.store.conversation import Event
from hldctl.store.models import Session


def page(session: Session, events: Iterable[Event]) -> str:
    """All text is escaped where it is put in; besides, the page forbids itself everything but its own style."""
    environment = Environment(loader=PackageLoader("hldctl.cli"), autoescape=True, keep_trailing_newline=True)
    return environment.get_template("session.html").render(
        title=transcript.title(session), facts=transcript.facts(session), parts=transcript.parts(events)
    )
