"""Worktrees of sessions: made at the launch, landed, and removed with the last session."""
