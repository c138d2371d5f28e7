"""The queue of the sessions that may not start yet."""
