"""The question that is shown for a request, and the possible answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from hldctl.cli.render.requests.line import Line
from hldctl.cli.views.question_dialog import QuestionDialog
from hldctl.states import ApprovalKind
from hldctl.store.approvals import Approval as Request


class Choice(Enum):
    YES = auto()
    NO = auto()
    EDIT = auto()
    ALWAYS = auto()
    SKIP = auto()
    QUIT = auto()
    HELP = auto()


# The only accepted answers.
CHOICES_BY_INPUT = {
    "?": Choice.HELP,
    **{name: choice for choice in Choice for name in (choice.name[0].lower(), choice.name.lower())},
}
_EFFECTS = {
    Choice.YES: "y or yes allows this call",
    Choice.NO: "n or no denies it; a message to the model may follow",
    Choice.EDIT: "e or edit changes its input in $EDITOR, then asks again",
    Choice.ALWAYS: "a or always allows it, and what the rule above covers, for the rest of the session",
    Choice.SKIP: "s or skip leaves it pending",
    Choice.QUIT: "q or quit stops asking",
    Choice.HELP: "? or help explains the answers",
}

# A plan has no input to edit; a question is answered instead of allowed.
_MISSING: dict[ApprovalKind, frozenset[Choice]] = {
    ApprovalKind.PERMISSION: frozenset(),
    ApprovalKind.PLAN: frozenset({Choice.EDIT, Choice.ALWAYS}),
    ApprovalKind.QUESTION: frozenset({Choice.YES, Choice.EDIT, Choice.ALWAYS}),
}


@dataclass(eq=False)
class Question:
    """The question shown for a request."""

    request: Request
    lines: list[Line]
    """The whole call."""
    tool_input: dict[str, Any] | None = None
    """The input as changed in an editor; None if unchanged."""
    dialog: QuestionDialog | None = None
    """The model's questions; None if it asks for permission."""
    is_about_comment: bool = False
    """True once the request is denied: the input is then a message for the model."""
    typed: str = ""
    hint: str = ""

    @property
    def prompt(self) -> str:
        if self.is_about_comment:
            return "Message to the model (Enter: none, Esc: back):"
        changed = "" if self.tool_input is None else "Run it with these changes?"
        choices = [] if self.dialog is None else [self.dialog.choices]
        return f"{changed or self.subject} {', '.join([*choices, *map(_label, self.choices)])}"

    @property
    def subject(self) -> str:
        """The beginning of the prompt, also of the line that shows the outcome."""
        if self.dialog is not None:
            return "Answer:"
        return "Approve the plan?" if self.request.kind is ApprovalKind.PLAN else "Allow?"

    @property
    def choices(self) -> list[Choice]:
        missing = set(_MISSING[self.request.kind])
        if self.tool_input is not None:
            missing.add(Choice.ALWAYS)
        return [each for each in Choice if each not in missing]

    @property
    def help(self) -> str:
        """What each answer does, one per line."""
        answers = [] if self.dialog is None else [f"{self.dialog.choices} answers the question"]
        return "\n".join([*answers, *(_EFFECTS[each] for each in self.choices)])


def _label(choice: Choice) -> str:
    return "[?]" if choice is Choice.HELP else f"[{choice.name[0].lower()}]{choice.name[1:].lower()}"
