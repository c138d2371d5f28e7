"""peewee, imported without the drivers that it looks for.

With psycopg installed, `import peewee` loads it, which takes 66 ms and 19 MB. Modules that need peewee import its names
from here.
"""

from __future__ import annotations

import sys

# What peewee tries to import; None makes the attempt fail. A driver that is loaded already stays.
_HIDDEN = [name for name in ("psycopg", "psycopg2", "psycopg2cffi") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_HIDDEN))  # type: ignore[arg-type]  # None is what the import system checks for
try:
    from peewee import (
        SQL,
        BooleanField,
        CompositeKey,
        Field,
        FloatField,
        IntegerField,
        Model,
        PostgresqlDatabase,
        TextField,
        fn,
    )
    from playhouse.apsw_ext import APSWDatabase
finally:
    for name in _HIDDEN:
        del sys.modules[name]

__all__ = [
    "SQL",
    "APSWDatabase",
    "BooleanField",
    "CompositeKey",
    "Field",
    "FloatField",
    "IntegerField",
    "Model",
    "PostgresqlDatabase",
    "TextField",
    "fn",
]
