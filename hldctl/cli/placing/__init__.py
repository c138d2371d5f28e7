"""`launch --on ENGINE`: the command line of a session that an engine places, and following it from here."""
