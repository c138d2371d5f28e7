"""Placing sessions: an engine decides where a session runs, and the record shows it from the first moment."""
