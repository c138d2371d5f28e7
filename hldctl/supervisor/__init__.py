"""The supervisor: one detached process per session, from its launch to its end."""
