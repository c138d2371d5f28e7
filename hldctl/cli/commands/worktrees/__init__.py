"""The commands about what sessions did in their worktrees."""
