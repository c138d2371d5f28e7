"""The JSON object of a permission request, for `--json` and for the on_approval command."""

from __future__ import annotations

import json
from typing import Any

from hldctl.claude import permission_hook
from hldctl.store.approvals import Approval, approval_object


def request_object(request: Approval) -> dict[str, Any]:
    """Return the object, with the input that the tool ran with if an answer changed it."""
    answer = json.loads(request.answer or "null")
    return approval_object(request) | {"updated_input": permission_hook.updated_input(answer)}
