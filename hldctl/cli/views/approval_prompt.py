"""Prompts for permission requests, one after another, while the screen around them is still updated."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from hldctl.claude.questions import UnfitChoiceError
from hldctl.cli import output
from hldctl.cli.render.events.plain import approval_line
from hldctl.cli.render.requests import permission_request
from hldctl.cli.render.requests.line import Line
from hldctl.cli.terminal import keyboard, programs
from hldctl.cli.views import session_commands
from hldctl.cli.views.prompt_question import CHOICES_BY_INPUT, Choice, Question
from hldctl.cli.views.question_dialog import QuestionDialog
from hldctl.errors import HldctlError, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions.answers import Decision
from hldctl.states import ApprovalKind, ApprovalStatus
from hldctl.store import approvals, sessions
from hldctl.store.approvals import Approval as Request
from hldctl.store.connection import current_connection

# After a question has disappeared by itself, input is ignored for this long: it may have been meant for that question.
_SETTLE_SECONDS = 0.5
_CTRL_D, _CTRL_U, _CTRL_W = "\x04", "\x15", "\x17"
_ERASE_KEYS = ("\x7f", "\x08")
_NEXT_PAGE = "page down"
# Keys that are not part of an answer.
_SCROLLING_KEYS = frozenset({"up", "down", "home", "end", "page up", _NEXT_PAGE})


class Surface(Protocol):
    """A terminal on which questions are asked."""

    def write(self, lines: Sequence[Line]) -> None:
        """Write lines above the question. They stay on the screen."""

    def finish(self, question: Question, how: str | None) -> None:
        """Leave the question on the screen, with the outcome `how` unless it is None."""

    def present(self, question: Question) -> None:
        """Show the call from its start."""

    def scroll(self, key: str) -> bool:
        """Scroll the call if the key does that. Return whether it does."""

    def draw(self, question: Question | None) -> None:
        """Draw the question and the input typed so far; None removes it."""

    def may_allow(self, question: Question) -> bool:
        """Return whether the end of the call was shown."""

    def release(self) -> AbstractContextManager[None]:
        """Release the terminal while another program uses it."""


class Asker:
    """A queue of questions on `surface`, which is cleared on exit. Requires an open database."""

    def __init__(self, state: StateDirectory, surface: Surface) -> None:
        self._state = state
        self._surface = surface
        self._queue = deque[Request]()
        self._question: Question | None = None
        self._has_quit = False
        self._ignore_input_until = 0.0
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
        """Return the descriptors to watch: standard input, but only while a question is shown."""
        return [sys.stdin.fileno()] if self._is_listening else []

    def enqueue(self, request: Request) -> bool:
        """Queue a question about the request. Return False if the user has quit."""
        if not self._has_quit:
            self._queue.append(request)
        return not self._has_quit

    def drop(self, request_id: str) -> bool:
        """Drop the question about a resolved request. Return whether it was shown or queued."""
        if self._question is not None and self._question.request.id == request_id:
            self._end_question()
            self._ignore_input_until = time.monotonic() + _SETTLE_SECONDS
            return True
        remaining = [each for each in self._queue if each.id != request_id]
        was_queued, self._queue = len(remaining) < len(self._queue), deque(remaining)
        return was_queued

    def drop_session(self, session_id: str) -> None:
        """Drop the questions about requests of this session."""
        for each in [*self._queue, *([self._question.request] if self._question is not None else [])]:
            if each.session_id == session_id:
                self.drop(each.id)

    def drop_resolved(self, pending: Collection[str]) -> None:
        """Drop questions about requests that are not in `pending`, and print how those were resolved."""
        for each in [*([self._question.request] if self._question is not None else []), *self._queue]:
            if each.id not in pending and self.drop(each.id):
                approval = approvals.get(current_connection(), each.id)
                text = "its session was deleted" if approval is None else approval_line(approval, elsewhere=True)
                self._surface.write([Line(text, "dim")])

    def step(self) -> bool:
        """Process typed keys, and show the next question if there is none. Return False once no question is left."""
        while True:
            if self._question is None and not self._ask_next():
                self._listen(False)
                return False
            try:
                keys = keyboard.read_keys(0)
            except EOFError:
                self._quit()
                continue
            if not keys:
                self._surface.draw(self._question)
                return True
            if time.monotonic() >= self._ignore_input_until:
                self._process_keys(keys)

    def _ask_next(self) -> bool:
        while self._queue:
            request = self._queue.popleft()
            if self._is_pending(request):
                self._listen(True)
                self._ask(self._question_about(request))
                return True
        return False

    def _question_about(self, request: Request) -> Question:
        session = sessions.get(request.session_id)
        if request.kind is ApprovalKind.QUESTION:
            dialog = QuestionDialog(request)
            return Question(request, dialog.lines(request, session), dialog=dialog)
        lines = permission_request.describe_request(request, session)
        if request.kind is ApprovalKind.PERMISSION:
            lines.append(Line(f"[a]lways: {permission_request.lasting_rule_text(self._state, request)}", "dim"))
        return Question(request, lines)

    def _ask(self, question: Question) -> None:
        self._question = question
        self._surface.present(question)
        # Keys typed before the question was shown do not answer it.
        keyboard.discard_typed()
        self._surface.draw(question)

    def _is_pending(self, request: Request) -> bool:
        approval = approvals.get(current_connection(), request.id)
        return approval is not None and approval.status == ApprovalStatus.PENDING

    def _process_keys(self, keys: Sequence[str]) -> None:
        """Process the keys up to Enter: later ones were typed before the next question was shown."""
        question = self._question
        assert question is not None
        for key in keys:
            if key == "\n":
                self._answer(question, question.typed.strip())
                return
            if key == _CTRL_D and not question.typed:
                self._quit()
                return
            if key in _SCROLLING_KEYS:
                self._surface.scroll(key)
                continue
            if key == " " and not question.typed and not question.is_about_comment:
                self._surface.scroll(_NEXT_PAGE)
                continue
            if key == "escape" and question.is_about_comment:
                question.is_about_comment, question.typed = False, ""
                return
            question.typed = _apply_key(question.typed, key)

    def _answer(self, question: Question, typed: str) -> None:
        question.typed = question.hint = ""
        if question.is_about_comment:
            self._send(question, Decision(allows=False, comment=typed or None))
            return
        choice = CHOICES_BY_INPUT.get(typed.lower())
        if question.dialog is not None and (choice not in question.choices or question.dialog.is_choice(typed)):
            self._answer_dialog(question, question.dialog, typed)
            return
        if choice not in question.choices:
            subject = "An empty line" if not typed else f"{output.escape_invisible_line(typed)!r}"
            question.hint = f"{subject} is not an answer; ? explains the answers."
            # Further lines of pasted text are not answers either.
            keyboard.discard_typed()
            return
        match choice:
            case Choice.YES | Choice.ALWAYS if not self._surface.may_allow(question):
                question.hint = "The end of the call was not shown yet: scroll to it with space or PgDn."
            case Choice.YES:
                self._send(question, Decision(allows=True, updated_input=question.tool_input))
            case Choice.ALWAYS:
                self._send(question, Decision(allows=True, always=True))
            case Choice.NO:
                question.is_about_comment = True
            case Choice.EDIT:
                self._edit(question)
            case Choice.SKIP:
                command = "answer" if question.dialog is not None else "approve"
                self._end_question(f"skipped; `hldctl {command} {question.request.id[:8]}` answers it later")
            case Choice.QUIT:
                self._quit()
            case Choice.HELP:
                question.hint = question.help

    def _answer_dialog(self, question: Question, dialog: QuestionDialog, typed: str) -> None:
        """Answer the current question of the model, and show its next one or send the answers."""
        if not self._surface.may_allow(question):
            question.hint = "The end of the question was not shown yet: scroll to it with space or PgDn."
            return
        try:
            answer = output.escape_invisible_line(dialog.answer(typed))
        except UnfitChoiceError as error:
            question.hint = output.escape_invisible_line(f"{error}.")
            # Further lines of pasted text are not answers either.
            keyboard.discard_typed()
            return
        if dialog.current is None:
            self._send(question, Decision(allows=True, updated_input=dialog.updated_input), how=answer)
        else:
            self._surface.finish(question, answer)
            session = sessions.get(question.request.session_id)
            self._ask(Question(question.request, dialog.lines(question.request, session), dialog=dialog))

    def _send(self, question: Question, decision: Decision, how: str | None = None) -> None:
        request = question.request
        self._end_question(how or ("always" if decision.always else "yes" if decision.allows else "no"))
        try:
            session_commands.answer(self._state, request, decision)
        except HldctlError as error:
            self._surface.write([Line(str(error), "yellow")])
            return
        if decision.always:
            rule = permission_request.lasting_rule_text(self._state, request)
            self._surface.write([Line(f"always allowed from now on: {rule}", "dim")])

    def _edit(self, question: Question) -> None:
        tool_input = json.loads(question.request.tool_input) if question.tool_input is None else question.tool_input
        with self._surface.release(), self._normal_modes():
            changed_input = _edit_in_editor(tool_input)
        if changed_input is not None and self._is_pending(question.request):
            session = sessions.get(question.request.session_id)
            lines = permission_request.describe_request(question.request, session, changed_input)
            self._ask(Question(question.request, lines, tool_input=changed_input))
        else:
            keyboard.discard_typed()
            question.hint = "Nothing was changed."

    def _quit(self) -> None:
        self._end_question("not answered")
        self._queue.clear()
        self._has_quit = True

    def _end_question(self, how: str | None = None) -> None:
        """Leave the question on the screen, with the outcome unless it is None."""
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
    def _normal_modes(self) -> Iterator[None]:
        """Restore the terminal's own modes for a while."""
        self._listen(False)
        try:
            yield
        finally:
            self._listen(True)

    @contextmanager
    def stop_context(self) -> Iterator[None]:
        """Restore the terminal's own modes while Ctrl-Z has stopped the process."""
        if not self._is_listening:
            yield
            return
        with self._normal_modes():
            yield


def _apply_key(typed: str, key: str) -> str:
    """Return the typed line after a key."""
    if key in _ERASE_KEYS:
        return typed[:-1]
    if key == _CTRL_U:
        return ""
    if key == _CTRL_W:
        return typed.rstrip().rpartition(" ")[0]
    return typed + key if len(key) == 1 and key >= " " else typed


def _edit_in_editor(tool_input: dict[str, Any]) -> dict[str, Any] | None:
    """Return the input as saved in the user's editor; None if it is unchanged or not a JSON object."""
    with tempfile.NamedTemporaryFile("w+", suffix=".json") as file:
        json.dump(tool_input, file, indent=2, ensure_ascii=False)
        file.flush()
        try:
            programs.edit(Path(file.name))
            # Read by name: an editor may replace the file.
            value = json.loads(Path(file.name).read_text(encoding="utf-8"))
        except (OSError, UnfitEnvironment) as error:
            output.print_note(str(error))
            return None
        except ValueError as error:
            output.print_note(f"this is not valid JSON: {error}")
            return None
    return value if isinstance(value, dict) and value != tool_input else None
