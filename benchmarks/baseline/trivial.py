"""A minimal command with typer, peewee and apsw: read one row from the given database and print it."""

from __future__ import annotations

import peewee
import typer
from playhouse.apsw_ext import APSWDatabase

database = APSWDatabase(None)
app = typer.Typer()


class Session(peewee.Model):
    id = peewee.TextField(primary_key=True)
    title = peewee.TextField()

    class Meta:
        database = database


@app.command()
def show(path: str) -> None:
    """Print the title of the only session."""
    database.init(path)
    print(Session.select().get().title)
    database.close()


if __name__ == "__main__":
    app()
