"""The user's commands for the end of a session and for permission requests, and presets for them."""
