"""Engines: programs that decide on which machine, and when, a session runs."""
