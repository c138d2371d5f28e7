"""The JSON object of a permission request, for `--json` and for the on_approval command."""

from __future__ import annotations

import json

from hldctl.claude import permission_hook, questions
from hldctl.contract.approval import ApprovalObject
from hldctl.states import ApprovalKind
from hldctl.store.approvals import Approval, approval_object


def request_object(request: Approval) -> ApprovalObject:
    """Return the object, with the input that the tool ran with if an answer changed it."""
    values = approval_object(request)
    changed = permission_hook.updated_input(json.loads(request.answer or "null"))
    is_question = request.kind is ApprovalKind.QUESTION
    return {
        **values,  # type: ignore[typeddict-item]  # mypy does not know the fields of the columns
        "updated_input": None if changed == values["tool_input"] else changed,
        "kind": request.kind,
        "questions": [questions.question_object(each) for each in questions.parse_questions(values["tool_input"])]
        if is_question
        else None,
        "answers": questions.answers_in(changed) if is_question else None,
    }
