"""Typer command classes with examples in the help, and the error for unknown commands."""

from __future__ import annotations

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


class _ExamplesMixin:
    """Mixin that appends a command's examples to its help."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from hldctl.cli.help_text import EXAMPLES

        # Looked up by the full path: `config set` is not `set`.
        write_examples(formatter, EXAMPLES.get(ctx.command_path.removeprefix("hldctl "), ()))


class Command(_ExamplesMixin, TyperCommand):
    pass


class Group(UnknownCommandMixin, _ExamplesMixin, TyperGroup):
    """Command with subcommands."""


class CommandWithRest(Command):
    """Command that stores the arguments after `--` in its context, as `rest`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        split = args.index("--") if "--" in args else len(args)
        ctx.meta["rest"] = tuple(args[split + 1 :])
        return super().parse_args(ctx, args[:split])


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
