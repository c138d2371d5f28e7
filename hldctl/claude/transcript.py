"""Claude Code's own record of a conversation, without which it cannot be taken up again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def exists(claude_session_id: str, environment: Mapping[str, str], working_dir: str) -> bool:
    """Whether Claude Code has begun to write it: not before its first request is out, later than its `init` (2.1.330).

    `environment` is Claude Code's.
    """
    home = environment.get("HOME") or os.path.expanduser("~")
    directory = Path(working_dir, environment.get("CLAUDE_CONFIG_DIR") or Path(home, ".claude"))
    return any((directory / "projects").glob(f"*/{claude_session_id}.jsonl"))
