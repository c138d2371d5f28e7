"""Typer command classes with examples in the help, and the error for unknown commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from typer._click.exceptions import UsageError
from typer._click.globals import get_current_context
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from hldctl.cli.help_text import Example


class NoSuchCommand(UsageError):
    """An unknown command or subcommand, with the arguments after it."""

    def __init__(self, ctx: Any, name: str, following: Sequence[str], names: Sequence[str]) -> None:
        super().__init__(f"No such command {name!r}.", ctx)
        self.name, self.following, self.names = name, following, names
        self.parent = str(ctx.command_path).removeprefix("hldctl").strip()
        self.is_subcommand = bool(self.parent)


class UnknownCommandMixin:
    """Mixin for groups: raise NoSuchCommand for an unknown command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        names = self.list_commands(ctx)  # type: ignore[attr-defined]
        if args[0] not in names and not args[0].startswith("-"):
            raise NoSuchCommand(ctx, args[0], args[1:], names)
        return super().resolve_command(ctx, args)  # type: ignore[misc]


class _HelpMixin:
    """Mixin for the help: options in sections, the forms of the values, and examples."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        parameters = self.get_params(ctx)  # type: ignore[attr-defined]
        arguments = [each.get_help_record(ctx) for each in parameters if each.param_type_name == "argument"]
        if rows := [row for row in arguments if row is not None]:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        shown = [each for each in parameters if not each.hidden]
        for title, members in option_sections(shown).items():
            with formatter.section(title):
                formatter.write_dl([_option_row(option, ctx) for option in members])
        if isinstance(self, TyperGroup):
            self.format_commands(ctx, formatter)
        if forms := value_forms(ctx):
            with formatter.section("Values"):
                formatter.write_dl(list(forms.items()))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from hldctl.cli.help_text import EXAMPLES

        # Looked up by the full path: `config set` is not `set`.
        write_examples(formatter, EXAMPLES.get(ctx.command_path.removeprefix("hldctl "), ()))


class Command(_HelpMixin, TyperCommand):
    pass


class Group(UnknownCommandMixin, _HelpMixin, TyperGroup):
    """Command with subcommands."""


class CommandWithRest(Command):
    """Command that stores the arguments after `--` in its context, as `rest`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- ARGUMENT…]"]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        split = args.index("--") if "--" in args else len(args)
        ctx.meta["rest"] = tuple(args[split + 1 :])
        return super().parse_args(ctx, self._assign_optional_values(ctx, args[:split]))

    def _assign_optional_values(self, ctx: Any, words: list[str]) -> list[str]:
        """Return the words with `--option=VALUE` for each option whose value is optional.

        As with git's, the word after the option is its value only if it was given so; or if the command would have one
        argument too many otherwise.
        """
        optional = {each.opts[0] for each in self.get_params(ctx) if (each.metavar or "").startswith("[=")}
        marked = [f"{word}=" if word in optional else word for word in words]
        places = [index for index, word in enumerate(words[:-1]) if word in optional and words[index + 1][:1] != "-"]
        if len(places) == 1 and len(self.make_parser(ctx).parse_args(list(marked))[1]) == 1:
            index = places[0]
            return [*marked[:index], f"{words[index]}={words[index + 1]}", *marked[index + 2 :]]
        return marked


def option_sections(parameters: Iterable[Any]) -> dict[str, list[Any]]:
    """Return the options by the title of their section; those without a section come last."""
    # Imported here: only the help needs it.
    from hldctl.settings.option import Section

    options = [each for each in parameters if each.param_type_name == "option"]
    sections: dict[str, list[Any]] = {str(section): [] for section in Section}
    rest = [each for each in options if each.rich_help_panel is None]
    for option in options:
        if option.rich_help_panel is not None:
            sections[option.rich_help_panel].append(option)
    used = {title: members for title, members in sections.items() if members}
    return used | {"Other" if used else "Options": rest}


def _option_row(option: Any, ctx: Any) -> tuple[str, str]:
    names, text = option.get_help_record(ctx)
    return names, f"{text} Repeatable." if option.multiple else text


def value_forms(ctx: Any) -> dict[str, str]:
    """Return the values of the command that need an explanation, each with its form."""
    from hldctl.cli.help_text import VALUE_FORMS

    parameters = [each for each in ctx.command.get_params(ctx) if not getattr(each, "hidden", False)]
    words = {word for each in parameters for word in re.split(r"[^A-Z]+", each.metavar or "")}
    # The ids of events are numbers.
    own = {each.metavar for each in parameters if each.name == "after"}
    used = words - own if len([each for each in parameters if each.metavar in own]) == 1 else words
    return {word: form for word, form in VALUE_FORMS.items() if word in used}


def write_examples(formatter: Any, examples: Iterable[Example]) -> None:
    """Write the examples without wrapping, so that each line can be copied."""
    if examples:
        with formatter.section("Examples"):
            formatter.write(
                "\n".join(f"  # {purpose}\n  {line}\n" for purpose, line in examples),
            )


def command_name() -> str:
    """Return the name of the running command as the user typed it, such as `approve`; empty outside a command."""
    context = get_current_context(silent=True)
    return "" if context is None else context.info_name or ""
