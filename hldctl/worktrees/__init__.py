"""Git worktrees of sessions, and the work in them."""
