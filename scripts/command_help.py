"""The help data of a command, for the pages that are generated from it."""

from __future__ import annotations

import inspect
import re
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from hldctl.cli import click_classes


def make_context(command: Any, name: str, parent: typer.Context | None = None) -> typer.Context:
    """Return the context from which the command's own help is generated."""
    context: typer.Context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    return context


def paragraphs(context: typer.Context) -> list[str]:
    return re.split(r"\n\s*\n", inspect.cleandoc(context.command.help or ""))


def subcommands(context: typer.Context) -> list[typer.Context]:
    """Return the contexts of the subcommands; empty if the command is not a group."""
    commands = context.command.commands if isinstance(context.command, TyperGroup) else {}
    return [make_context(command, name, context) for name, command in commands.items()]


def has_rest(context: typer.Context) -> bool:
    """Return whether the arguments after `--` go to Claude Code."""
    return isinstance(context.command, click_classes.CommandWithRest)


def arguments(context: typer.Context) -> list[TyperArgument]:
    parameters = context.command.get_params(context)
    return [parameter for parameter in parameters if isinstance(parameter, TyperArgument) and not parameter.hidden]


def options(context: typer.Context) -> list[TyperOption]:
    """Return the options, also those that `--help` leaves out."""
    return [parameter for parameter in context.command.get_params(context) if isinstance(parameter, TyperOption)]


def names(option: TyperOption) -> list[str]:
    """Return the names of the option, short ones first."""
    return sorted([*option.opts, *option.secondary_opts], key=lambda name: name.startswith("--"))


def metavar(option: TyperOption, context: typer.Context) -> str:
    """Return the metavar of the option's value; empty if it takes none."""
    return "" if option.is_flag or option.count else option.make_metavar(context)


def option_help(option: TyperOption, context: typer.Context) -> str:
    """Return the option's help, with details that `--help` has no room for."""
    _, text = option.get_help_record(context) or ("", option.help or "")
    choices = getattr(option.type, "choices", ())
    if choices and option.metavar is not None:
        text += f" One of: {', '.join(f'`{choice}`' for choice in choices)}."
    if option.multiple:
        text += " May be given more than once."
    return text
