"""Standard input and files that came with a command from another machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from hldctl.cli.remote.request import FILE_WORD


def replace_standard_input(data: bytes | None) -> None:
    """Make this the standard input of the process; None is an empty one."""
    descriptor = os.open(os.devnull, os.O_RDONLY) if data is None else _file(data)
    os.dup2(descriptor, 0)
    os.close(descriptor)


def resolve(word: str, files: Sequence[bytes]) -> str:
    """Return the word, or, for the number of a file, the path of a file with its content."""
    return f"/dev/fd/{_file(files[int(word.removeprefix(FILE_WORD))])}" if word.startswith(FILE_WORD) else word


def _file(data: bytes) -> int:
    """Return the descriptor of a new file without a name, which nobody has to delete."""
    # Imported here: most requests have no files.
    import tempfile

    descriptor, path = tempfile.mkstemp()
    with contextlib.suppress(OSError):
        os.unlink(path)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
