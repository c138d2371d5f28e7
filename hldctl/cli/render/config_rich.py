"""The configuration as a table that highlights values which are not defaults."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from hldctl.cli.render.format import abbreviate_home
from hldctl.cli.terminal import rich_console
from hldctl.config.report import Setting
from hldctl.contract.setting import SettingSource

_STYLES = {SettingSource.DEFAULT: "dim", SettingSource.MISSING: "bold red"}


def draw(rows: Sequence[tuple[Setting, str, str]]) -> None:
    """Print the table; a row is a setting, its value and its source, as text."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("KEY", no_wrap=True)
    table.add_column("VALUE", overflow="fold")
    table.add_column("FROM", overflow="fold")
    for setting, value, source in rows:
        style = _STYLES.get(setting.source, "")
        table.add_row(Text(setting.key), Text(value, style or "bold"), Text(abbreviate_home(source), style or "cyan"))
    rich_console.console().print(table)
