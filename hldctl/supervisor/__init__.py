"""The detached process: one for each session, from its launch to its end."""
