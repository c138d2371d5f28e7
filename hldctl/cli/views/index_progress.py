"""How far the search index is that a command waits for: a bar on standard error at a terminal, else a note."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from hldctl.cli import output
from hldctl.cli.terminal.rich_console import can_draw
from hldctl.sessions.inspect.search import Building

_LABEL = "building the search index"


@contextmanager
def index_progress() -> Iterator[Callable[[Building], None]]:
    """Yield a function that shows how far the index is; the bar is erased when it is full."""
    with ExitStack() as stack:
        bar: list[Callable[[Building], None]] = []

        def show(building: Building) -> None:
            if not bar:
                bar.append(stack.enter_context(_bar(building)) if can_draw(sys.stderr) else _note())
            bar[0](building)
            if building.done >= building.total:
                stack.close()

        yield show


def _note() -> Callable[[Building], None]:
    output.print_note(f"{_LABEL}; this happens once, and continues in the background if you stop this command")
    return lambda _: None


@contextmanager
def _bar(building: Building) -> Iterator[Callable[[Building], None]]:
    # Imported here: an index is built once.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"hldctl: {_LABEL}", total=building.total, completed=building.done)
        yield lambda current: progress.update(task, completed=current.done)
