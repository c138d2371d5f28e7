"""A local mock of the Messages API that plays a script, so that Claude Code runs without an account or cost."""
