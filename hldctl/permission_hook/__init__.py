"""The permission hook: a short-lived process that Claude Code runs for each permission request."""
