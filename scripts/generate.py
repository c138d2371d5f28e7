"""Generate the manual pages, the reference pages and the table for completion from the commands' help."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperOption

from hldctl.cli import app, click_classes
from hldctl.cli.help_text import EXAMPLES, EXIT_CODE_MEANINGS, MAIN_EXAMPLES, SECTIONS, exit_codes
from hldctl.errors import ExitCode
from hldctl.paths import StateDirectory
from hldctl.version import __version__
from scripts import api_options, completion_table, configuration_page, json_schemas, python_page, reference, roff
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

ROOT = Path(__file__).resolve().parent.parent
_CHANGES = ROOT / "CHANGELOG.md"

_BEFORE_THE_FIRST_RELEASE = "2026-11-01"
# All pages that this script writes to man/, so that pages of removed commands are deleted.
_PAGES = "man/**/hldctl*.[15]"

_ENVIRONMENT = {
    "HLDCTL_HOME": "The state directory.",
    "XDG_STATE_HOME": "Without `HLDCTL_HOME`, the state directory is `$XDG_STATE_HOME/hldctl`; without either, it is "
    "`~/.local/state/hldctl`.",
    "HLDCTL_CLAUDE": "The Claude Code binary. By default: `claude` on `PATH`, in the usual install paths, in the "
    "package `claude-agent-sdk`, or on a login shell's `PATH`.",
    "NO_COLOR": "If set, output has no colours.",
}

_OPTIONS, _ARGUMENTS = (f"[{roff.italic(word)} ...]" for word in ("option", "argument"))
_CONFIGURATION = roff.reference("hldctl-config", 5)

_STATE = StateDirectory(Path("$HLDCTL_HOME"))
_SESSION = _STATE.session("ID")
_FILES = {
    _STATE.database: "The database of all sessions.",
    _SESSION.journal: "Claude Code's standard output, byte for byte.",
    _SESSION.errors: "Claude Code's standard error.",
    _SESSION.log: "hldctl's own log of the session.",
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    if not parser.parse_args(arguments).check:
        write(ROOT)
        return 0
    stale_files = stale(ROOT)
    for path in stale_files:
        print(f"{path} is stale; run: python scripts/generate.py", file=sys.stderr)
    return 1 if stale_files else 0


def write(root: Path) -> None:
    """Write the generated files below `root`, and delete pages of removed commands."""
    files = generated_files()
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    for path in _pages_below(root) - files.keys():
        (root / path).unlink()


def stale(root: Path) -> list[str]:
    """Return the generated files below `root` that are missing, out of date, or describe a removed command."""
    files = generated_files()
    outdated = {path for path, text in files.items() if _text(root / path) != text}
    return sorted(outdated | (_pages_below(root) - files.keys()))


def generated_files() -> dict[str, str]:
    """Return the content of each generated file by its path below the root."""
    return (
        {"hldctl/cli/completion/table.json": completion_table.render_table()}
        | {"man/man1/hldctl.1": main_page(), "man/man5/hldctl-config.5": configuration_page.render_page(_date())}
        | {f"man/man1/hldctl-{name}.1": command_page(name) for name in app.COMMANDS}
        | {"docs/reference/commands.md": reference.commands()}
        | {"docs/reference/configuration.md": reference.configuration()}
        | {"docs/reference/json.md": json_schemas.render_page()}
        | json_schemas.render_schemas()
        | {api_options.PATH: api_options.render_module(), python_page.PATH: python_page.render_page()}
    )


def _text(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else None


def _pages_below(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.glob(_PAGES)}


# Manual pages


def main_page() -> str:
    context = make_context(app.root_command(), "hldctl")
    return _page(
        "hldctl",
        {
            "NAME": _name("hldctl", context),
            "SYNOPSIS": " ".join((roff.bold("hldctl"), _OPTIONS, roff.italic("command"), _ARGUMENTS)),
            "DESCRIPTION": _description(context),
            "OPTIONS": _options(context),
            "COMMANDS": _commands(),
            "ENVIRONMENT": roff.entries((roff.bold(name), roff.prose(text)) for name, text in _ENVIRONMENT.items()),
            "FILES": roff.entries((roff.italic(str(path)), roff.prose(text)) for path, text in _FILES.items()),
            "EXIT STATUS": _exit_status(list(ExitCode)),
            "EXAMPLES": roff.examples(MAIN_EXAMPLES),
            "SEE ALSO": ",\n".join(
                [*(roff.reference(f"hldctl-{name}") for name in sorted(app.COMMANDS)), _CONFIGURATION]
            ),
        },
    )


def command_page(name: str) -> str:
    context = make_context(app.load_command(name), name)
    return _page(
        f"hldctl-{name}",
        {
            "NAME": _name(f"hldctl-{name}", context),
            "SYNOPSIS": _synopsis(name, context),
            "DESCRIPTION": _description(context),
            "ARGUMENTS": roff.entries(_argument(argument, context) for argument in arguments(context)),
            "OPTIONS": _options(context),
            "COMMANDS": "\n".join(_subcommand(name, each) for each in subcommands(context)),
            "VALUES": _values(context),
            "EXIT STATUS": _exit_status(exit_codes(name)),
            "EXAMPLES": roff.examples(EXAMPLES.get(name, ())),
            "SEE ALSO": f"{roff.reference('hldctl')},\n{_CONFIGURATION}",
        },
    )


def _page(name: str, sections: dict[str, str]) -> str:
    return roff.page(name, 1, _date(), __version__, sections)


def _date() -> str:
    """Return the date of the newest release, so that a page changes with the program, not with the day."""
    dates = re.findall(r"^## .*(\d{4}-\d\d-\d\d)", _CHANGES.read_text(encoding="utf-8"), re.MULTILINE)
    return dates[0] if dates else _BEFORE_THE_FIRST_RELEASE


def _name(name: str, context: typer.Context) -> str:
    return roff.name(name, completion_table.summary(context.command.help))


def _summary(context: typer.Context) -> str:
    """Return the first sentence of the help."""
    return roff.prose(completion_table.summary(context.command.help))


def _description(context: typer.Context) -> str:
    return "\n.PP\n".join(map(roff.prose, paragraphs(context)))


def _synopsis(name: str, context: typer.Context) -> str:
    words = [roff.bold(f"hldctl {name}"), _OPTIONS]
    for argument in arguments(context):
        word = roff.italic(argument.make_metavar(context))
        words.append(word if argument.required else f"[{word}]")
    if has_rest(context):
        words.append(f"[{roff.bold('--')} {roff.italic('argument')} ...]")
    subcommand_lines = (_synopsis(f"{name} {each.info_name}", each) for each in subcommands(context))
    return "\n.br\n".join([" ".join(words), *subcommand_lines])


def _subcommand(name: str, context: typer.Context) -> str:
    """Return the part of a command's page that describes a subcommand."""
    entries = [roff.entries(_argument(argument, context) for argument in arguments(context)), _options(context)]
    heading = f'.SS "{roff.literal(f"hldctl {name} {context.info_name}")}"'
    return "\n".join([heading, _description(context), ".RS", *filter(None, entries), ".RE"])


def _argument(argument: TyperArgument, context: typer.Context) -> tuple[str, str]:
    return roff.italic(argument.make_metavar(context)), roff.prose(argument.help or "")


def _options(context: typer.Context) -> str:
    sections = click_classes.option_sections(options(context))
    if len(sections) == 1:
        return _option_entries(options(context), context)
    return "\n".join(f'.SS "{title}"\n{_option_entries(members, context)}' for title, members in sections.items())


def _option_entries(members: Sequence[TyperOption], context: typer.Context) -> str:
    return roff.entries((_option_names(each, context), roff.prose(option_help(each, context))) for each in members)


def _values(context: typer.Context) -> str:
    contexts = [context, *subcommands(context)]
    forms = {word: form for each in contexts for word, form in click_classes.value_forms(each).items()}
    return roff.entries((roff.italic(word), roff.prose(form)) for word, form in forms.items())


def _option_names(option: TyperOption, context: typer.Context) -> str:
    option_names = ", ".join(map(roff.bold, names(option)))
    value = metavar(option, context)
    return f"{option_names} {roff.italic(value)}" if value else option_names


def _commands() -> str:
    return "\n".join(f'.SS "{title}"\n{_section(commands)}' for title, commands in SECTIONS.items())


def _section(commands: Sequence[str]) -> str:
    contexts = {name: make_context(app.load_command(name), name) for name in commands}
    return roff.entries((roff.reference(f"hldctl-{name}"), _summary(each) + ".") for name, each in contexts.items())


def _exit_status(codes: Sequence[ExitCode]) -> str:
    return roff.entries((roff.bold(str(code.value)), roff.prose(EXIT_CODE_MEANINGS[code])) for code in codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
