"""The pages of docs/reference/ that say of each command and each setting what `--help` and the manual say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import typer
from typer.core import TyperOption

from hldctl.cli import app
from hldctl.cli.help_text import EXAMPLES, EXIT_CODE_MEANINGS, SECTIONS
from hldctl.config import schema
from hldctl.errors import ExitCode
from scripts import configuration_page
from scripts.command_help import (
    arguments,
    has_rest,
    make_context,
    metavar,
    names,
    option_help,
    options,
    paragraphs,
    subcommands,
)

_WRITTEN = "<!-- Written by scripts/generate.py; change the help texts instead. -->"


# Commands


def commands() -> str:
    root = make_context(typer.main.get_command(app.app), "hldctl")
    return _page(
        "# Commands",
        "What `hldctl COMMAND --help` says, too. For an ID stand its first four characters, `last`, or a name. "
        "A DURATION is written `90s`, `30m`, `2h` or `7d`.",
        *(f"**{title}**: {_links(names)}" for title, names in SECTIONS.items()),
        "## hldctl",
        _parameters(root),
        *(_command(name) for name in app.COMMANDS),
        "## Exit codes",
        _table(("code", "means"), ((f"`{code.value}`", _cell(EXIT_CODE_MEANINGS[code])) for code in ExitCode)),
    )


def _links(names: Sequence[str]) -> str:
    return ", ".join(f"[{name}](#hldctl-{name})" for name in names)


def _command(name: str) -> str:
    context = make_context(app.load_command(name), name)
    below = (_subcommand(name, each) for each in subcommands(context))
    return "\n\n".join([f"## hldctl {name}", _described(name, context), _examples(name), *below])


def _subcommand(name: str, context: typer.Context) -> str:
    full = f"{name} {context.info_name}"
    return f"### hldctl {full}\n\n{_described(full, context)}"


def _described(name: str, context: typer.Context) -> str:
    return "\n\n".join([_usage(name, context), *map(_marked, paragraphs(context)), _parameters(context)])


def _usage(name: str, context: typer.Context) -> str:
    words = [f"hldctl {name} [OPTION…]"]
    for argument in arguments(context):
        word = argument.make_metavar(context)
        words.append(word if argument.required or word.startswith("[") else f"[{word}]")
    if has_rest(context):
        words.append("[-- ARGUMENT…]")
    return f"```text\n{' '.join(words)}\n```"


def _parameters(context: typer.Context) -> str:
    given = ((f"`{each.make_metavar(context)}`", _cell(each.help or "")) for each in arguments(context))
    chosen = ((_written(each, context), _cell(_option_help(each, context))) for each in options(context))
    return _table(("", "means"), [*given, *chosen])


def _written(option: TyperOption, context: typer.Context) -> str:
    *first, last = names(option)
    return _escaped(", ".join(f"`{name}`" for name in [*first, f"{last} {metavar(option, context)}".strip()]))


def _option_help(option: TyperOption, context: typer.Context) -> str:
    """With a range as it is said, not as it is computed."""
    return re.sub(r"\[(\d+)<=x<=(\d+)\]", r"(\1 to \2)", option_help(option, context))


def _examples(name: str) -> str:
    return "```sh\n" + "\n\n".join(f"# {purpose}\n{line}" for purpose, line in EXAMPLES[name]) + "\n```"


# Configuration


def configuration() -> str:
    return _page(
        "# Configuration",
        "`$XDG_CONFIG_HOME/hldctl/config.toml`, or `~/.config/hldctl/config.toml`: a file in TOML, which need not be "
        "there. What the command line says wins. A key that is not known, or a value that is none, is an error: "
        "commands that need the file end with exit code 2, and name the file, the key and what is expected. "
        "`hldctl config` shows what is set, and changes it: see [steer.md](../how-to/steer.md#say-it-once).",
        _table(("key", "means", "form"), map(_setting, schema.KEYS)),
        "A file with all of them:",
        f"```toml\n{configuration_page.EXAMPLE}```",
    )


def _setting(name: str) -> tuple[str, str, str]:
    key = schema.KEYS[name]
    return f"`{name}`", _cell(key.help), _cell(key.expected)


# Markdown


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([title, _WRITTEN, *parts]) + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Nothing in it ends the cell."""
    return _escaped(_marked(text))


def _marked(text: str) -> str:
    """A paragraph with its options as code."""
    parts = re.split(r"(`[^`]+`|(?<![\w-])--?[A-Za-z][\w-]*)", " ".join(text.split()))
    # The matches are at the odd places.
    return "".join(f"`{part.strip('`')}`" if place % 2 else part for place, part in enumerate(parts))


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")
