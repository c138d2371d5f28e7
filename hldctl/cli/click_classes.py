"""Typer command classes with examples in the help and suggestions for mistyped options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from typer._click.exceptions import NoSuchOption
from typer._click.globals import get_current_context
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from hldctl.cli.help_text import Example


class SuggestionsMixin:
    """Mixin for typer's command classes: suggest similar options for an unknown one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            remaining: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        except NoSuchOption as error:
            raise _add_suggestion(error) from None
        return remaining


class _ExamplesMixin(SuggestionsMixin):
    """Mixin that appends a command's examples to its help."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from hldctl.cli.help_text import EXAMPLES

        # Looked up by the full path: `config set` is not `set`.
        write_examples(formatter, EXAMPLES.get(ctx.command_path.removeprefix("hldctl "), ()))


class Command(_ExamplesMixin, TyperCommand):
    pass


class Group(_ExamplesMixin, TyperGroup):
    """Command with subcommands."""


class CommandWithRest(Command):
    """Command that stores the arguments after `--` in its context, as `rest`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        split = args.index("--") if "--" in args else len(args)
        ctx.meta["rest"] = tuple(args[split + 1 :])
        return super().parse_args(ctx, args[:split])


def _add_suggestion(error: NoSuchOption) -> NoSuchOption:
    """Return the error with its suggestions worded like those for a mistyped command."""
    if error.possibilities:
        similar = ", ".join(repr(option) for option in error.possibilities)
        error.message, error.possibilities = f"{error.message}. Did you mean {similar}?", None
    return error


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
