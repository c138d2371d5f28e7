"""A command: what typer makes of a function, with examples below its help and suggestions for what is mistyped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from typer._click.exceptions import NoSuchOption
from typer._click.globals import get_current_context
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from hldctl.cli.help_text import Example


class Suggesting:
    """Before a class of typer's: an option that there is not is answered with those that are like it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            words: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        except NoSuchOption as error:
            raise _with_suggestion(error) from None
        return words


class _Exemplified(Suggesting):
    """Its help ends with its own examples."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from hldctl.cli.help_text import EXAMPLES

        # By its path: `config set` is not `set`.
        write_examples(formatter, EXAMPLES.get(ctx.command_path.removeprefix("hldctl "), ()))


class Command(_Exemplified, TyperCommand):
    pass


class Group(_Exemplified, TyperGroup):
    """A command that has others below it."""


class CommandWithRest(Command):
    """A command that hands on what stands behind `--`, as `rest`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        split = args.index("--") if "--" in args else len(args)
        ctx.meta["rest"] = tuple(args[split + 1 :])
        return super().parse_args(ctx, args[:split])


def _with_suggestion(error: NoSuchOption) -> NoSuchOption:
    """In the words that a mistyped command gets."""
    if error.possibilities:
        similar = ", ".join(repr(option) for option in error.possibilities)
        error.message, error.possibilities = f"{error.message}. Did you mean {similar}?", None
    return error


def write_examples(formatter: Any, examples: Iterable[Example]) -> None:
    """Lines that can be copied: none is wrapped."""
    if examples:
        with formatter.section("Examples"):
            formatter.write(
                "\n".join(f"  # {purpose}\n  {line}\n" for purpose, line in examples),
            )


def command_name() -> str:
    """Return the command that runs, as the user named it: approve, deny, tail, top…"""
    context = get_current_context(silent=True)
    return "" if context is None else context.info_name or ""
