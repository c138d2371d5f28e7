"""What a shell shows when TAB is typed. It loads neither typer nor peewee: `table.json` says what commands take."""
