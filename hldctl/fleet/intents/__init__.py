"""Intents: commands for a session that were typed on another machine and travel through the record."""
