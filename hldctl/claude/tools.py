"""Claude Code's built-in tools that hldctl treats apart from others.

Imported by the permission hook, for which each millisecond counts: constants only.
"""

from __future__ import annotations

EDITED_PATHS = {"Edit": "file_path", "MultiEdit": "file_path", "NotebookEdit": "notebook_path", "Write": "file_path"}
"""For each tool that edits files the name of the argument that holds the path."""
EDITING_TOOLS = frozenset(EDITED_PATHS)
SHELL_TOOLS = frozenset({"Bash", "Monitor"})
"""Their `command` is run by a shell. Any other tool with a `command` is allowed for the same input only."""
WEB_FETCH = "WebFetch"
