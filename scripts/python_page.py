"""Generator of the page that describes the Python API, from its docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import hldctl
from hldctl.client.client import Client

PATH = "docs/reference/python.md"

_INTRODUCTION = """# Python

`import hldctl` offers what the commands do to programs in Python. hldctl has to be installed in the program's own
environment: `pip install .` in a clone, or `'.[claude]'` with Claude Code. [Build a review bot](../review-bot.md) is a
tutorial.

```python
import hldctl

client = hldctl.Client()
session = client.launch("Fix the failing test", allowed_tools=["Read", "Edit", "Bash"], timeout="30m")
for event in client.events(session.id, follow=True):
    print(event.event_type, event.tool_name or event.content)
session = client.session(session.id)
print(session.status, session.cost_usd)
```

**Results** are frozen: `Session`, `Event`, `Approval`, `Message` and `Match`. Their attributes have the names and the
meaning of the fields in [JSON](json.md), with three differences: times are whole milliseconds since 1970 (UTC), the
inputs of tools are JSON texts, and a session has attributes that JSON leaves out. `hldctl.as_json` returns the object
of JSON itself.

**Stability** is that of [JSON](json.md): within a major version, names, parameters and meanings stay; minor versions
add some. What is not on this page is not public.

**Types**: the package has `py.typed`; a type checker knows each option of `launch`.
"""


def render_page() -> str:
    """Return the page."""
    parts = [_INTRODUCTION, "## Client\n", _description(Client, "hldctl.Client")]
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_"):
            parts += [f"### {name}\n", _signature(name, method), _description(method, name)]
    parts += ["## as_json\n", _signature("as_json", hldctl.as_json), _description(hldctl.as_json, "as_json")]
    parts += ["## Options\n", _OPTIONS, "## Errors\n", _errors()]
    return "\n".join(parts).rstrip() + "\n"


_OPTIONS = """`launch` and `continue_` take the options of [`hldctl launch`](commands.md#hldctl-launch), with
underscores in place of dashes and without those about waiting and printing. Durations are texts such as `"30m"`, or
`timedelta`; lists are lists, or texts with commas; `env` and JSON are dictionaries, or as on the command line;
`worktree=True` chooses a name. Defaults come from the configuration file and the project, as on the command line.
"""


def _signature(name: str, function: Callable[..., Any]) -> str:
    parameters = [each for each in inspect.signature(function).parameters.values() if each.name != "self"]
    shown, keyword_only = [], False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            if not any(other.kind is other.VAR_POSITIONAL for other in parameters):
                shown.append("*")
        shown.append(str(each).replace("'", ""))
    returned = str(inspect.signature(function).return_annotation)
    head = f"{name}({', '.join(shown)}) -> {returned}"
    if len(head) > _WIDTH:
        head = f"{name}(\n" + "".join(f"    {each},\n" for each in shown) + f") -> {returned}"
    return f"```text\n{head}\n```\n"


_WIDTH = 100


def _description(owner: Any, name: str) -> str:
    text = inspect.getdoc(owner)
    assert text is not None, name
    prose, _, example = text.partition(">>> ")
    block = f"```pycon\n>>> {example}\n```\n" if example else ""
    return f"{_wrap(prose)}\n{block}"


def _wrap(prose: str) -> str:
    return re.sub(r"\n{2,}", "\n\n", prose).strip() + "\n"


def _errors() -> str:
    rows = ["| error | exit code of a command | meaning |", "| --- | --- | --- |"]
    for name in ("HldctlError", *(each for each in hldctl.__all__ if each != "HldctlError")):
        value = getattr(hldctl, name)
        if isinstance(value, type) and issubclass(value, hldctl.HldctlError):
            meaning = (inspect.getdoc(value) or "").replace("\n", " ")
            rows.append(f"| `{name}` | {int(value.exit_code)} | {meaning} |")
    return "\n".join(rows) + "\n"
