"""Permission hooks: those that wait, and requests that have lost theirs."""
