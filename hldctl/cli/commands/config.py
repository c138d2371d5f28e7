"""`hldctl config`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from hldctl.cli import output
from hldctl.cli.render import ignored_settings
from hldctl.cli.terminal import programs, rich_console
from hldctl.config import edit as config_file
from hldctl.config import load, project, report, schema
from hldctl.config import trust as config_trust
from hldctl.config.layers import Ignored
from hldctl.config.report import Setting
from hldctl.contract.setting import SettingObject, SettingSource
from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.private_files import PRIVATE_DIRECTORY
from hldctl.sessions.permissions import caller

# The text for a setting without a value; "none" for the others.
_TEXT_IF_UNSET = {
    "approvals": "at a terminal",
    "approval_timeout": "no limit",
    "question_timeout": "no limit",
    "model": "Claude Code's own",
    "permission_mode": "Claude Code's own",
    "effort": "Claude Code's own",
    "agent": "Claude Code's own",
    "tools": "Claude Code's own",
    "prune": "never",
    "fleet": "none",
    "limits": "spread = 30s",
    "budgets": "no limit",
    "worktree": "in the state directory",
    "max_budget_usd": "no limit",
    "max_running": "no limit",
    "max_turns": "no limit",
    "timeout": "no limit",
    "idle_timeout": "no limit",
}

_PERMISSION_KEYS = frozenset(
    {
        *("permission_mode", "allowed_tools", "disallowed_tools", "approvals", "approval_timeout", "from_session"),
        *("tools", "agent"),
        # Commands that hldctl runs for the user, and that may answer permission requests.
        *("on_approval", "on_end", "worktree"),
        # They have these keys, too.
        "profiles",
        # A session must not raise what it may spend, either; `groups` may hold budgets.
        *("budgets", "groups"),
        # Nor how many sessions it may launch.
        *("max_launch_depth", "max_launched"),
        # It decides who can read what sessions say.
        "fleet",
    }
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="A setting, such as `model`, `groups.build` or `prune.keep`.")]
Directory = Annotated[str, typer.Argument(metavar="DIR", help="The project's directory, or one in it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def command(
    ctx: typer.Context,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="Show the settings as a session with this profile gets them.")
    ] = None,
    working_dir: Annotated[
        str,
        typer.Option("--working-dir", "-C", metavar="DIR", help="The directory of the session, and so the project."),
    ] = ".",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print an array of objects: `key`, `value`, `source`, `location`, `profile`.")
    ] = False,
) -> None:
    """Show the settings and their sources; get, set and edit them.

    The settings in the configuration file are defaults for the options of new sessions. A project's .hldctl.toml
    overrides them, a profile both, and the command line all. `source` is `default`, `file`, `project`, `profile`,
    `environment`, `found` (found by hldctl itself) or `missing`; `location` is the file, the variable or the path.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings, ignored = report.list_settings(working_dir, profile)
    if ignored is not None:
        output.print_note(ignored_settings.note(ignored))
    if as_json:
        output.print_json([_object(setting) for setting in settings])
    elif rich_console.can_draw():
        from hldctl.cli.render import config_rich

        config_rich.draw([(setting, *_cells(setting)) for setting in settings])
    else:
        output.print_table(("KEY", "VALUE", "FROM"), ((setting.key, *_cells(setting)) for setting in settings))


def get(key: Key, as_json: AsJson = False) -> None:
    """Print the value of a setting.

    Prints nothing if the setting is unset; lists are printed one item per line.
    """
    value = report.find_setting(key).value
    if as_json:
        output.print_json(value)
        return
    for line in _lines(value):
        output.print_data(output.escape_at_terminal(line))


def set_(
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The value; separate list items with commas.")],
) -> None:
    """Set a value in the configuration file.

    The value must be valid. The rest of the file is unchanged, including comments and order.
    """
    _require_right(key)
    config_file.set_value(key, value)


def unset(key: Key) -> None:
    """Remove a setting from the configuration file."""
    _require_right(key)
    if not config_file.remove_value(key):
        output.print_note(f"{key} is not in {schema.path()}")


def edit() -> None:
    """Open the configuration file in an editor.

    The editor is $VISUAL, else $EDITOR, else vi. The file stays as edited; if it is not valid, the error is printed and
    the exit code is 2.
    """
    _require_right()
    file = schema.path()
    try:
        file.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    except OSError as error:
        raise UnfitEnvironment(f"Cannot create {file.parent}: {error.strerror or error}.") from None
    programs.edit(file)
    load.load()


def path() -> None:
    """Print the path of the configuration file, even if it does not exist."""
    output.print_data(output.escape_at_terminal(str(schema.path())))


def trust(directory: Directory = ".") -> None:
    """Trust a project's .hldctl.toml with its present contents.

    Without trust, the file cannot run commands or widen permissions. Read it first. A changed file needs trust again.
    """
    _require_right()
    file = project.find_file(directory)
    if file is None:
        raise BadUsage(f"{project.FILE_NAME} is missing in {directory}, and above it in its repository.")
    if file.unusable is not None:
        raise BadUsage(f"{ignored_settings.note(Ignored(file.path, (), file.unusable))}.")
    file.parse()
    config_trust.trust(StateDirectory.from_environment(), file)


def untrust(directory: Directory = ".") -> None:
    """Trust a project's .hldctl.toml no longer."""
    path = project.find_path(directory) or Path(directory).expanduser().resolve() / project.FILE_NAME
    if not config_trust.untrust(StateDirectory.from_environment(), path):
        output.print_note(f"{path} is not trusted")


SUBCOMMANDS = {"get": get, "set": set_, "unset": unset, "edit": edit, "path": path, "trust": trust, "untrust": untrust}


def _object(setting: Setting) -> SettingObject:
    return {
        "key": setting.key,
        "value": setting.value,
        "source": setting.source,
        "location": setting.location,
        "profile": setting.profile,
    }


def _cells(setting: Setting) -> tuple[str, str]:
    """Return the texts of the value and of its source."""
    if setting.source is SettingSource.MISSING:
        return "not found", output.one_line(setting.location or "")
    if setting.value is None or setting.value == {}:
        value = _TEXT_IF_UNSET.get(setting.key, "none")
    else:
        value = ", ".join(_lines(setting.value)) or ("none" if setting.value == [] else '""')
    source = setting.location or str(setting.source)
    if setting.profile is not None:
        source += f" (profile {setting.profile})"
    return output.one_line(value), output.one_line(source)


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, dict):
        return [f"{name} = {member}" for name, member in _flat(value)]
    return list(value) if isinstance(value, list) else [str(value)]


def _flat(table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the members of a table, and those of the tables in it, by name."""
    for name, member in table.items():
        if isinstance(member, dict):
            yield from ((f"{name}.{key}", value) for key, value in _flat(member))
        else:
            yield name, member


def _require_right(key: str | None = None) -> None:
    """Raise WrongState in a session that may not change this setting.

    That applies to settings that concern permissions and, if `key` is None, to the whole file.
    """
    if key is None or report.split_key(key)[0] in _PERMISSION_KEYS:
        caller.require_right(StateDirectory.from_environment(), f"Changing {key or 'the configuration'}")
