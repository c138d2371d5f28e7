"""The MCP server: what the Python API does, as tools for agents. It needs the extra `hldctl[mcp]`."""
