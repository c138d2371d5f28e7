"""An MCP server on standard input and output. Its one tool returns hldctl's environment variables."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

TOOL = {"name": "whoami", "description": "Who am I?", "inputSchema": {"type": "object", "properties": {}}}


def result(request: dict[str, Any]) -> dict[str, Any] | None:
    match request.get("method"):
        case "initialize":
            info = {"name": "whoami", "version": "1"}
            version = request["params"]["protocolVersion"]
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        case "tools/list":
            return {"tools": [TOOL]}
        case "tools/call":
            prefixes = ("HLDCTL_HOME", "HLDCTL_RUN", "HLDCTL_SESSION", "HUMANLAYER_", "T_")
            variables = {name: value for name, value in os.environ.items() if name.startswith(prefixes)}
            return {"content": [{"type": "text", "text": json.dumps(variables)}]}
    return None


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if (content := result(request)) is not None:
            answer["result"] = content
        else:
            answer["error"] = {"code": -32601, "message": "unknown method"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
