"""Generator of the manual page hldctl-config(5), and the descriptions of the configuration's keys."""

from __future__ import annotations

from hldctl.config import schema
from hldctl.version import __version__
from scripts import roff

EXAMPLE = "".join(
    [f"{name} = {key.example}\n" for name, key in schema.KEYS.items() if name not in schema.TABLES]
    + [f"\n[{name}]\n{schema.KEYS[name].example}\n" for name in schema.TABLES]
)
"""A file with all keys."""


def render_page(date: str) -> str:
    sections = {
        "NAME": roff.name("hldctl-config", "defaults for hldctl, and its limits"),
        "SYNOPSIS": f"{roff.italic('$XDG_CONFIG_HOME/hldctl/config.toml')}\n.br\n"
        f"{roff.italic('~/.config/hldctl/config.toml')}",
        "DESCRIPTION": roff.prose(
            "An optional file in TOML. Keys that are not set have the defaults described below. The second path is "
            "used if `XDG_CONFIG_HOME` is not set. Options of a command override the file. An unknown key or an "
            "invalid value is an error: commands that need the file exit with code 2 and report what is wrong."
        ),
        "KEYS": roff.entries(map(_entry, schema.KEYS)),
        "EXAMPLES": roff.listing(EXAMPLE),
        "SEE ALSO": ",\n".join(map(roff.reference, ("hldctl", "hldctl-launch", "hldctl-prune"))),
    }
    return roff.page("hldctl-config", 5, date, __version__, sections)


def _entry(name: str) -> tuple[str, str]:
    key = schema.KEYS[name]
    default = schema.default_value(name)
    written = "absent" if default in (None, {}) else str(default)
    return roff.bold(name), roff.prose(f"{key.help} Form: {key.expected}. Default: {written}.")
