"""The result of a tool call as people read it."""

from __future__ import annotations

import re

from hldctl.cli.render.events.program_output import plain_output
from hldctl.store.events import Event

ARROW = " → "
"""What is between a question to the user and its answer."""

# Claude Code 2.1.332 gives the model this text about a call that the user has stopped; other text follows.
_STOPPED = "The user doesn't want to proceed with this tool use."
# Its results of AskUserQuestion, followed by advice for the model.
_ANSWERED = re.compile(
    r"(?:Your questions have been answered|The user answered): (\".*?\")\. (?:You can|Read the)", re.DOTALL
)
_ANSWER = re.compile(r'"(.*?)"="(.*?)"(?=, "|$)', re.DOTALL)
# What it gives the model instead of an empty result.
_NO_OUTPUT = re.compile(r"\(\w+ completed with no output\)")
# What it puts around an error of its own.
_ERROR_TAGS = ("<tool_use_error>", "</tool_use_error>")


def text(result: Event) -> str:
    """Return the text of a result: without control sequences, and without what only the model needs to know."""
    content = result.tool_result_content or ""
    if result.is_error:
        if content.startswith(_STOPPED):
            return "interrupted"
        content = content.removeprefix(_ERROR_TAGS[0]).removesuffix(_ERROR_TAGS[1])
    if (answered := _ANSWERED.match(content)) is not None and not result.is_error:
        pairs = _ANSWER.findall(answered[1])
        return "\n".join(f"{question}{ARROW}{answer}" for question, answer in pairs) or content
    return "" if _NO_OUTPUT.fullmatch(content.strip()) else plain_output(content)
