"""The database: models, migrations, queries. It knows nothing of Claude Code."""
