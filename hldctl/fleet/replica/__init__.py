"""Copies of sessions of other machines, in a state directory of their own, for commands that show sessions."""
