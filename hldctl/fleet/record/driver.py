"""psycopg, imported without `importlib.metadata`.

psycopg asks it for its own version, for which it loads `email` and reads a file: a fifth of the time of its import.
Modules that need psycopg import it from here.
"""

from __future__ import annotations

import sys
from types import ModuleType

from hldctl.errors import UnfitEnvironment


class _PackageNotFoundError(ImportError):
    pass


def _version(name: str) -> str:
    """Raise what psycopg expects of a package without metadata; its version is then 0.0.0.0."""
    raise _PackageNotFoundError(name)


_NAME = "importlib.metadata"
_STAND_IN = ModuleType(_NAME)
_STAND_IN.__dict__.update(version=_version, PackageNotFoundError=_PackageNotFoundError)
_IS_HIDDEN = _NAME not in sys.modules
if _IS_HIDDEN:
    sys.modules[_NAME] = _STAND_IN
try:
    import psycopg
    from psycopg import Notify, conninfo
    from psycopg.sql import SQL, Composable, Identifier
    from psycopg.types.string import TextLoader
except ImportError:
    raise UnfitEnvironment(
        "A fleet needs psycopg, which is not installed; install it with: pipx install 'hldctl[fleet]'."
    ) from None
finally:
    if _IS_HIDDEN:
        del sys.modules[_NAME]

__all__ = ["SQL", "Composable", "Identifier", "Notify", "TextLoader", "conninfo", "psycopg"]
