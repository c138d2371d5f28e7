"""The database: models, migrations and queries, independent of Claude Code."""
