"""One-line messages for command lines that cannot be parsed, with what to type instead; loaded only after a mistake."""

from __future__ import annotations

import difflib
import itertools
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from typer._click.exceptions import (
    BadOptionUsage,
    BadParameter,
    ClickException,
    MissingParameter,
    NoSuchOption,
    UsageError,
)

from hldctl.cli import synonyms
from hldctl.cli.click_classes import CommandWithRest, NoSuchCommand

# Never suggested for a mistyped command: they delete.
_DESTRUCTIVE = frozenset({"rm", "prune"})
# As measured by difflib: `hlep` and `help`, and `--retry` and `--retries`, have 0.75.
_COMMAND_SIMILARITY = 0.75
_OPTION_SIMILARITY = 0.75
# What `-5` would be in other tools, by command.
_NUMBER_OPTIONS = {"tail": "-n", "ls": "--limit"}
_EXTRA_ARGUMENTS = re.compile(r"Got unexpected extra argument\(s\) \((.*)\)", re.DOTALL)
_MAX_QUOTED = 60


def describe(error: ClickException, arguments: Sequence[str]) -> str:
    """Return one sentence that says what is wrong with the arguments and what to type instead."""
    context = getattr(error, "ctx", None)
    command = _command_path(context, arguments)
    text = _describe(error, arguments, context, command)
    has_advice = re.search(r"; |hldctl |quote|Did you mean", text) is not None
    return text if has_advice else f"{text.rstrip('.')}; see hldctl {command} --help".replace("  ", " ")


def _describe(error: ClickException, arguments: Sequence[str], context: Any, command: str) -> str:
    match error:
        case NoSuchCommand():
            return _unknown_command(error)
        case NoSuchOption():
            return _unknown_option(error.option_name, arguments, context, command)
        case BadOptionUsage():
            problem = "needs a value" if "requires" in error.message else "does not take a value"
            return f"{error.option_name} {problem}"
        case MissingParameter() if error.param is not None:
            return f"{error.param.make_metavar(context)} is missing"
        case BadParameter() if error.param is not None:
            return f"{_parameter_name(error.param, error.ctx)}: {error.message}"
        case UsageError() if (match := _EXTRA_ARGUMENTS.fullmatch(error.message)) is not None:
            return _extra_arguments(match[1], arguments, context, command)
    message = error.format_message()
    return message[:1].lower() + message[1:]


def _command_path(context: Any, arguments: Sequence[str]) -> str:
    """Return the names of the command and subcommand; without a context, the command that was typed."""
    if context is not None:
        return str(context.command_path).removeprefix("hldctl").strip()
    return next((word for word in arguments if not word.startswith("-")), "")


def _parameter_name(parameter: Any, context: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.make_metavar(context)).strip("[]…")
    return str(max(parameter.opts, key=lambda name: (name.startswith("--"), len(name))))


# Commands


def _unknown_command(error: NoSuchCommand) -> str:
    name, following = error.name, error.following
    if error.is_subcommand:
        return f"there is no command '{error.parent} {name}'{_did_you_mean(_similar(name, error.names))}"
    if len(name.split()) > 1:
        return f"there is no command {_shorten(name)!r}; to start a session: hldctl launch {_quote(name)}"
    if (hint := synonyms.COMMANDS.get(name.lower())) is not None:
        return f"there is no command {name!r}; to {hint.purpose}: hldctl {_fill(hint.line, following)}"
    similar = [each for each in _similar(name, [*error.names, "help", "version"]) if each not in _DESTRUCTIVE]
    return f"there is no command {_shorten(name)!r}{_did_you_mean(similar)}"


def _fill(line: str, following: Sequence[str]) -> str:
    """Return the line with the arguments that the user typed after the unknown command."""
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), following))
    for placeholder in ("ID", "APPROVAL"):
        if placeholder in line and words and re.fullmatch(r"[\w.@:+-]{1,100}", words[0]):
            line = line.replace(placeholder, words.pop(0))
    if '"…"' in line and words and "\n" not in " ".join(words):
        line = line.replace('"…"', _quote(" ".join(words)))
    return line


# Options


def _unknown_option(option: str, arguments: Sequence[str], context: Any, command: str) -> str:
    if re.fullmatch(r"-\d", option) and command in _NUMBER_OPTIONS:
        number = next((word[1:] for word in arguments if re.fullmatch(rf"{option}\d*", word)), option[1:])
        return f"there is no option -{number}; write {_NUMBER_OPTIONS[command]} {number}"
    name = f"there is no option {_shorten(option)}"
    if (hint := synonyms.OPTIONS.get(command, {}).get(option)) is not None:
        return f"{name}; {hint}"
    if isinstance(getattr(context, "command", None), CommandWithRest) and option in synonyms.CLAUDE_OPTIONS:
        return f"{name}; Claude Code's own options go after --: hldctl {command} … -- {_with_value(option, arguments)}"
    if not command and (typed := _command_after(option, arguments, context)) is not None:
        return f"there is no option {option} before the command; write it after: hldctl {typed} {option}"
    return f"{name}{_did_you_mean(_similar(option, _all_options(context), _OPTION_SIMILARITY))}"


def _with_value(option: str, arguments: Sequence[str]) -> str:
    """Return the option with the value that the user typed, if it is short."""
    for word, value in zip(arguments, [*arguments[1:], "-"], strict=True):
        if word.startswith(f"{option}="):
            return shlex.quote(word) if len(word) <= _MAX_QUOTED else f"{option}=…"
        if word == option and synonyms.CLAUDE_OPTIONS[option]:
            has_value = not value.startswith("-") and len(value) <= _MAX_QUOTED
            return f"{option} {shlex.quote(value)}" if has_value else f"{option} …"
    return option


def _command_after(option: str, arguments: Sequence[str], context: Any) -> str | None:
    names = context.command.list_commands(context) if context is not None else []
    position = arguments.index(option) if option in arguments else len(arguments)
    return next((word for word in arguments[position:] if word in names), None)


def _all_options(context: Any) -> list[str]:
    if context is None:
        return []
    parameters = context.command.get_params(context)
    return [name for each in parameters for name in (*each.opts, *each.secondary_opts) if name.startswith("--")]


# Arguments


def _extra_arguments(extra: str, arguments: Sequence[str], context: Any, command: str) -> str:
    if (option := _list_option_before(extra, arguments, context)) is not None:
        return f"unexpected argument {_shorten(extra)!r}; repeat the option for each value: {option} {_shorten(extra)}"
    if isinstance(getattr(context, "command", None), CommandWithRest) and context.params.get("query"):
        reference = context.params.get("session")
        line = command if reference is None else f"{command} {reference}"
        query = f"{context.params['query']} {extra}"
        return f"{_shorten(query)!r} is more than one argument; quote the query: hldctl {line} {_quote(query)}"
    return f"unexpected argument {_shorten(extra)!r}"


def _list_option_before(extra: str, arguments: Sequence[str], context: Any) -> str | None:
    """Return the repeatable option whose value the unexpected argument follows, as in `--allowed-tools Read Bash`."""
    parameters = [] if context is None else context.command.get_params(context)
    repeatable = {name for each in parameters if getattr(each, "multiple", False) for name in each.opts}
    for option, _, after in zip(arguments, arguments[1:], arguments[2:], strict=False):
        if option in repeatable and after == extra.split(" ")[0]:
            return option
    return None


# Words


def _similar(typed: str, names: Iterable[str], cutoff: float = _COMMAND_SIMILARITY) -> list[str]:
    return difflib.get_close_matches(typed, names, n=2, cutoff=cutoff)


def _did_you_mean(names: Sequence[str]) -> str:
    return f". Did you mean {' or '.join(map(repr, names))}?" if names else ""


def _quote(text: str) -> str:
    """Return the text in quotes for a shell; a long one is replaced by dots."""
    if len(text) > _MAX_QUOTED:
        return '"…"'
    return shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"
