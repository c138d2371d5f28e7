"""Asking a person about permission requests, one after another, while the screen around it is still updated."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol

from hldctl.cli import output
from hldctl.cli.click_classes import command_name
from hldctl.cli.render import permission_request
from hldctl.cli.render.events_plain import approval_line
from hldctl.cli.render.permission_request import Line
from hldctl.cli.terminal import keyboard
from hldctl.errors import WrongState
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import answers
from hldctl.sessions.permissions.answers import Answer
from hldctl.states import ApprovalStatus
from hldctl.store import approvals, sessions
from hldctl.store.approvals import Approval as Request
from hldctl.store.connection import current

_SETTLE_SECONDS = 0.5
"""For which nothing that is typed counts after a question has gone by itself: it may have been meant for that one."""
_CONTROL_D, _CONTROL_U, _CONTROL_W = "\x04", "\x15", "\x17"
_ERASING = ("\x7f", "\x08")


class _Choice(Enum):
    YES = auto()
    NO = auto()
    EDIT = auto()
    ALWAYS = auto()
    SKIP = auto()
    VIEW = auto()
    QUIT = auto()


_WORDS = {name: choice for choice in _Choice for name in (choice.name[0].lower(), choice.name.lower())}
"""Whole answers; nothing else is one."""
_EFFECTS = {
    _Choice.YES: "y or yes allows it",
    _Choice.NO: "n or no denies it",
    _Choice.EDIT: "e or edit changes it first",
    _Choice.ALWAYS: "a or always allows it, and its like from now on",
    _Choice.SKIP: "s or skip leaves it unanswered",
    _Choice.VIEW: "v or view shows it whole",
    _Choice.QUIT: "q or quit asks no more",
}


@dataclass(eq=False)
class Question:
    """What is asked about a request at this moment."""

    request: Request
    lines: list[Line]
    """The whole call."""
    tool_input: dict[str, Any] | None = None
    """What somebody has made of it in an editor."""
    is_about_comment: bool = False
    """It is denied; what is typed now is for the model."""
    can_be_viewed: bool = False
    typed: str = ""
    hint: str = ""

    @property
    def words(self) -> str:
        if self.is_about_comment:
            return "Tell the model (Enter: nothing):"
        verb = "Allow?" if self.tool_input is None else "Run it as changed?"
        return f"{verb} {', '.join(f'[{choice.name[0].lower()}]{choice.name[1:].lower()}' for choice in self.choices)}"

    @property
    def choices(self) -> list[_Choice]:
        missing = {_Choice.ALWAYS} if self.tool_input is not None else set()
        return [each for each in _Choice if each not in missing and (each is not _Choice.VIEW or self.can_be_viewed)]


class Surface(Protocol):
    """Where it is asked."""

    def write(self, lines: Sequence[Line]) -> None:
        """Above the question, for good."""

    def finish(self, question: Question, how: str | None) -> None:
        """Leave what was asked for good, and what was said to it, if anybody has said something."""

    def present(self, question: Question, is_wanted: Callable[[], bool]) -> None:
        """Show the whole call, on a screen of its own where that is needed, and what it is asked."""

    def draw(self, question: Question | None) -> None:
        """The question and what was typed; or that there is none."""

    def may_allow(self, question: Question) -> bool:
        """Whether the whole call was shown, or could be."""

    def away(self) -> AbstractContextManager[None]:
        """For as long as another program has the terminal."""


class Asker:
    """To be used while the database is open. What is asked is on `surface`, and goes when the context is left."""

    def __init__(self, state: StateDirectory, surface: Surface) -> None:
        self._state = state
        self._surface = surface
        self._waiting = deque[Request]()
        self._question: Question | None = None
        self._has_quit = False
        self._deaf_until = 0.0
        self._keys = ExitStack()
        self._is_listening = False

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._surface.draw(None)
        finally:
            self._keys.close()

    def inputs(self) -> Sequence[int]:
        """Which descriptors are to be watched: typing wakes nobody while nothing is asked."""
        return [sys.stdin.fileno()] if self._is_listening else []

    def take(self, request: Request) -> bool:
        """Ask about it in its turn; False if nobody wants to be asked any more."""
        if not self._has_quit:
            self._waiting.append(request)
        return not self._has_quit

    def drop(self, request_id: str) -> bool:
        """Ask about it no more, since it is resolved; say whether that was asked, or was going to be."""
        if self._question is not None and self._question.request.id == request_id:
            self._end_question()
            self._deaf_until = time.monotonic() + _SETTLE_SECONDS
            return True
        left = [each for each in self._waiting if each.id != request_id]
        had, self._waiting = len(left) < len(self._waiting), deque(left)
        return had

    def drop_session(self, session_id: str) -> None:
        for each in [*self._waiting, *([self._question.request] if self._question is not None else [])]:
            if each.session_id == session_id:
                self.drop(each.id)

    def drop_resolved(self, pending: Collection[str]) -> None:
        """Ask only about these any more, and say what became of the others."""
        for each in [*([self._question.request] if self._question is not None else []), *self._waiting]:
            if each.id not in pending and self.drop(each.id):
                now = approvals.get(current(), each.id)
                said = "its session was deleted" if now is None else approval_line(now, elsewhere=True)
                self._surface.write([Line(said, "dim")])

    def step(self) -> bool:
        """Take what was typed, and ask the next question if there is none; False once nothing is left to ask."""
        while True:
            if self._question is None and not self._begin():
                self._listen(False)
                return False
            try:
                keys = keyboard.pressed(0)
            except EOFError:
                self._quit()
                continue
            if not keys:
                self._surface.draw(self._question)
                return True
            if time.monotonic() >= self._deaf_until:
                self._take_keys(keys)

    def _begin(self) -> bool:
        while self._waiting:
            chosen = self._waiting.popleft()
            if self._is_pending(chosen):
                self._listen(True)
                session = sessions.get(chosen.session_id)
                rule = Line(f"[a]lways: {permission_request.lasting_words(self._state, chosen)}", "dim")
                self._ask(Question(chosen, [*permission_request.described(chosen, session), rule]))
                return True
        return False

    def _ask(self, question: Question) -> None:
        self._question = question
        self._surface.present(question, lambda: self._is_pending(question.request))
        # What was typed before it could be read does not answer it.
        keyboard.discard_typed()
        self._surface.draw(question)

    def _is_pending(self, request: Request) -> bool:
        now = approvals.get(current(), request.id)
        return now is not None and now.status == ApprovalStatus.PENDING

    def _take_keys(self, keys: Sequence[str]) -> None:
        """Each up to the end of an answer: what follows was typed before the next question."""
        question = self._question
        assert question is not None
        for key in keys:
            if key == "\n":
                self._answer(question, question.typed.strip())
                return
            if key == _CONTROL_D and not question.typed:
                self._quit()
                return
            if key == "escape" and question.is_about_comment:
                question.is_about_comment, question.typed = False, ""
                return
            question.typed = _edited_line(question.typed, key)

    def _answer(self, question: Question, said: str) -> None:
        question.typed = question.hint = ""
        if question.is_about_comment:
            self._give(question, Answer(allows=False, comment=said or None))
            return
        choice = _WORDS.get(said.lower())
        if choice not in question.choices:
            found = "An empty line" if not said else f"{output.quoted_line(said)!r}"
            question.hint = f"{found} is not an answer: {', '.join(_EFFECTS[each] for each in question.choices)}."
            # The next line of a text that was pasted, or meant for something else, is none either.
            keyboard.discard_typed()
            return
        match choice:
            case _Choice.YES | _Choice.ALWAYS if not self._surface.may_allow(question):
                question.hint = "It was not shown to its end: v or view shows it whole."
            case _Choice.YES:
                self._give(question, Answer(allows=True, updated_input=question.tool_input))
            case _Choice.ALWAYS:
                self._give(question, Answer(allows=True, always=True))
            case _Choice.NO:
                question.is_about_comment = True
            case _Choice.EDIT:
                self._edit(question)
            case _Choice.SKIP:
                self._end_question("skipped")
            case _Choice.VIEW:
                self._ask(question)
            case _Choice.QUIT:
                self._quit()

    def _give(self, question: Question, said: Answer) -> None:
        asked = question.request
        self._end_question("always" if said.always else "yes" if said.allows else "no")
        try:
            answers.answer(self._state, asked.id, said, command_name())
        except WrongState as error:
            self._surface.write([Line(str(error), "yellow")])
            return
        if said.always:
            words = permission_request.lasting_words(self._state, asked)
            self._surface.write([Line(f"always allowed from now on: {words}", "dim")])

    def _edit(self, question: Question) -> None:
        given = json.loads(question.request.tool_input) if question.tool_input is None else question.tool_input
        with self._surface.away(), self._silent():
            changed = _edited(given)
        if changed is not None and self._is_pending(question.request):
            session = sessions.get(question.request.session_id)
            lines = permission_request.described(question.request, session, changed)
            self._ask(Question(question.request, lines, tool_input=changed))
        else:
            keyboard.discard_typed()
            question.hint = "Nothing was changed."

    def _quit(self) -> None:
        self._end_question("not answered")
        self._waiting.clear()
        self._has_quit = True

    def _end_question(self, how: str | None = None) -> None:
        """Leave on the screen what was asked, and what was said to it."""
        question, self._question = self._question, None
        if question is not None:
            self._surface.finish(question, how)

    def _listen(self, listens: bool) -> None:
        if listens != self._is_listening:
            self._is_listening = listens
            if listens:
                self._keys.enter_context(keyboard.single_keys())
            else:
                self._keys.close()

    @contextmanager
    def _silent(self) -> Iterator[None]:
        """Give the terminal back its own modes for a while."""
        self._listen(False)
        try:
            yield
        finally:
            self._listen(True)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """For Ctrl-Z: while the process is stopped, the terminal has its own modes."""
        if not self._is_listening:
            yield
            return
        with self._silent():
            yield


def _edited_line(typed: str, key: str) -> str:
    if key in _ERASING:
        return typed[:-1]
    if key == _CONTROL_U:
        return ""
    if key == _CONTROL_W:
        return typed.rstrip().rpartition(" ")[0]
    return typed + key if len(key) == 1 and key >= " " else typed


def _edited(tool_input: dict[str, Any]) -> dict[str, Any] | None:
    """As the user's editor leaves it; None if that is nothing new, or no JSON."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.NamedTemporaryFile("w+", suffix=".json") as file:
        json.dump(tool_input, file, indent=2, ensure_ascii=False)
        file.flush()
        try:
            subprocess.run([*editor, file.name], check=True)
            # By its name: an editor may put another file in its place.
            value = json.loads(Path(file.name).read_text(encoding="utf-8"))
        except (OSError, subprocess.CalledProcessError) as error:
            output.note(f"{editor[0]} cannot be used: {error}; name another editor in EDITOR")
            return None
        except ValueError as error:
            output.note(f"that is no JSON: {error}")
            return None
    return value if isinstance(value, dict) and value != tool_input else None
