"""The check of a session: the user's command that decides whether the work is done."""
