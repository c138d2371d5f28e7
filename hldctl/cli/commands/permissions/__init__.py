"""The commands that answer permission requests."""
