"""Shell completion. It loads neither typer nor peewee: commands and options come from `table.json`."""
