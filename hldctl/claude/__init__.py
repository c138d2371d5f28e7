"""All that is known of Claude Code: its binary, its arguments, its stream. No database here."""
