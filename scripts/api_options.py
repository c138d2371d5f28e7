"""Generator of the types of the options in the Python API."""

from __future__ import annotations

from enum import EnumMeta

from hldctl.sessions.options import OPTIONS
from hldctl.settings import option as kinds
from hldctl.settings.option import Option

PATH = "hldctl/client/launch_options.py"

_HEAD = '''\
"""The options of `launch` and `continue_`, for type checkers; scripts/generate.py makes them of the declared ones."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict


class LaunchOptions(TypedDict, total=False):
    """The options of a session. None is the same as absent."""
'''

_PATHS = ("working_dir", "query_file", "rehearse")


def render_module() -> str:
    """Return the text of the module."""
    parts = [_HEAD]
    parts += [f'    {each.parameter}: {_type(each)} | None\n    """{_text(each)}"""' for each in OPTIONS.values()]
    return "\n".join(parts) + "\n"


def _type(option: Option) -> str:
    kind = option.kind
    if kind.is_flag:
        return "bool"
    if option.name == "worktree":
        return "str | bool"
    if option.name == "env":
        return "Mapping[str, str] | Sequence[str]"
    if kind.is_list:
        return "str | Sequence[str | os.PathLike[str]]" if option.metavar == "DIR" else "str | Sequence[str]"
    if option.metavar == "FILE|JSON":
        return "Mapping[str, Any] | str | os.PathLike[str]"
    if kind in (kinds.DURATION, kinds.LIMIT):
        return "timedelta | str"
    if kind is kinds.DOLLARS:
        return "float"
    if kind.metavar == "N":
        return "int"
    if isinstance(kind.parse, EnumMeta):
        return "str"
    return "str | os.PathLike[str]" if option.name in _PATHS else "str"


def _text(option: Option) -> str:
    lines, line = [], "   "
    for word in option.help.replace("\\", "\\\\").split():
        # As wide as a docstring may be, with its quotes.
        if len(line) + 1 + len(word) > 112:
            lines.append(line)
            line = "   "
        line += f" {word}"
    return "\n".join([*lines, line]).strip()
