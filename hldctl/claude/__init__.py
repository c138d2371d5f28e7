"""Everything specific to Claude Code: its binary, its arguments, its stream. It does not use the database."""
