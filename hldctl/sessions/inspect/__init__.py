"""Reading sessions: what they do, said, changed and cost."""
