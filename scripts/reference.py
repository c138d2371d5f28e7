"""Generator of the pages of docs/reference/ on commands and configuration, from the help texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import typer
from typer.core import TyperOption

from hldctl.cli import app, click_classes
from hldctl.cli.help_text import EXAMPLES, EXIT_CODE_MEANINGS, SECTIONS, VALUE_FORMS
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

_GENERATED_NOTE = "<!-- Written by scripts/generate.py; change the help texts instead. -->"


# Commands


def commands() -> str:
    root = make_context(app.root_command(), "hldctl")
    return _page(
        "# Commands",
        "The same as `hldctl COMMAND --help`, which also explains the values that a command takes:",
        "\n".join(f"- {word}: {_mark_up(form)}" for word, form in VALUE_FORMS.items()),
        *(f"**{title}**: {_links(names)}" for title, names in SECTIONS.items()),
        "## hldctl",
        _parameters(root),
        *(_command(name) for name in app.COMMANDS),
        "## Exit codes",
        _table(("code", "meaning"), ((f"`{code.value}`", _cell(EXIT_CODE_MEANINGS[code])) for code in ExitCode)),
    )


def _links(names: Sequence[str]) -> str:
    return ", ".join(f"[{name}](#hldctl-{name})" for name in names)


def _command(name: str) -> str:
    context = make_context(app.load_command(name), name)
    parts = (_subcommand(name, each) for each in subcommands(context))
    return "\n\n".join([f"## hldctl {name}", _description(name, context), _examples(name), *parts])


def _subcommand(name: str, context: typer.Context) -> str:
    full = f"{name} {context.info_name}"
    return f"### hldctl {full}\n\n{_description(full, context)}"


def _description(name: str, context: typer.Context) -> str:
    return "\n\n".join([_usage(name, context), *map(_mark_up, paragraphs(context)), _parameters(context)])


def _usage(name: str, context: typer.Context) -> str:
    words = [f"hldctl {name} [OPTION…]"]
    for argument in arguments(context):
        word = argument.make_metavar(context)
        words.append(word if argument.required or word.startswith("[") else f"[{word}]")
    if has_rest(context):
        words.append("[-- ARGUMENT…]")
    return f"```text\n{' '.join(words)}\n```"


def _parameters(context: typer.Context) -> str:
    argument_rows = ((f"`{each.make_metavar(context)}`", _cell(each.help or "")) for each in arguments(context))
    tables = [_table(("", "meaning"), argument_rows)] if arguments(context) else []
    sections = click_classes.option_sections(options(context))
    for title, members in sections.items():
        rows = ((_option_names(each, context), _cell(_option_help(each, context))) for each in members)
        tables.append(_table((title.lower() if len(sections) == 1 else title, "meaning"), rows))
    return "\n\n".join(tables)


def _option_names(option: TyperOption, context: typer.Context) -> str:
    *first, last = names(option)
    return _escape(", ".join(f"`{name}`" for name in [*first, f"{last} {metavar(option, context)}".strip()]))


def _option_help(option: TyperOption, context: typer.Context) -> str:
    """Return the help with ranges in words instead of formulas."""
    return re.sub(r"\[(\d+)<=x<=(\d+)\]", r"(\1 to \2)", option_help(option, context))


def _examples(name: str) -> str:
    return "```sh\n" + "\n\n".join(f"# {purpose}\n{line}" for purpose, line in EXAMPLES[name]) + "\n```"


# Configuration


def configuration() -> str:
    return _page(
        "# Configuration",
        "`$XDG_CONFIG_HOME/hldctl/config.toml`, or `~/.config/hldctl/config.toml`: an optional file in TOML. Options "
        "on the command line override it, and so do the project's `.hldctl.toml` and a profile: see "
        "[profiles.md](../how-to/profiles.md). An unknown key or an invalid value is an error: commands that need the "
        "file exit with code 2 and name the file, the key and the expected value. `hldctl config` shows the settings "
        "and changes them: see [steer.md](../how-to/steer.md#say-it-once).",
        _table(("key", "meaning", "form", "in a project without trust"), map(_setting, schema.KEYS)),
        "A file with all keys:",
        f"```toml\n{configuration_page.EXAMPLE}```",
    )


def _setting(name: str) -> tuple[str, str, str, str]:
    key = schema.KEYS[name]
    return f"`{name}`", _cell(key.help), _cell(key.expected), _cell(_project_rule(name))


def _project_rule(name: str) -> str:
    """Return what a project may set without trust; "–" for a key that no project can set."""
    if name not in schema.OPTIONS:
        return "yes, with these keys" if name == "profiles" else "–"
    rule = schema.OPTIONS[name][1].project
    return "no" if rule is None else rule.description


# Markdown


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([title, _GENERATED_NOTE, *parts]) + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Return the text with markup, and with pipes escaped, which would end the cell."""
    return _escape(_mark_up(text))


def _mark_up(text: str) -> str:
    """Return a paragraph with its options as code."""
    parts = re.split(r"(`[^`]+`|(?<![\w-])--?[A-Za-z][\w-]*)", " ".join(text.split()))
    # The matches have odd indexes.
    return "".join(f"`{part.strip('`')}`" if index % 2 else part for index, part in enumerate(parts))


def _escape(text: str) -> str:
    return text.replace("|", r"\|")
