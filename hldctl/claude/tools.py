"""Claude Code's built-in tools that hldctl treats specially.

The permission hook imports this module, and each millisecond of it counts: it has only constants.
"""

from __future__ import annotations

EDITED_PATHS = {"Edit": "file_path", "MultiEdit": "file_path", "NotebookEdit": "notebook_path", "Write": "file_path"}
"""The name of the argument that holds the path, for each tool that edits files."""
EDITING_TOOLS = frozenset(EDITED_PATHS)
SHELL_TOOLS = frozenset({"Bash", "Monitor"})
"""Tools whose `command` is run by a shell. Rules allow other tools with a `command` only for the same input."""
WEB_FETCH = "WebFetch"
