"""Costs by model and by run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers.fake_claude_conversation import CONVERSATION
from tests.helpers.sandbox import Sandbox

RESULTS = (
    CONVERSATION
    + """
def usage(input, output, cost):
    return {"inputTokens": input, "outputTokens": output, "cacheReadInputTokens": 7, "cacheCreationInputTokens": 3,
            "costUSD": cost}

def result(cost, models, **more):
    write(type="result", subtype="success", num_turns=1, duration_ms=1, total_cost_usd=cost, modelUsage=models,
          **{"is_error": False, "result": "Done.", **more})

write(type="system", subtype="init", model="big")
"""
)


def costs(sandbox: Sandbox, session_id: str) -> dict[str, Any]:
    whole = json.loads(sandbox.ok("export", session_id, "--format", "json"))
    spent: dict[str, Any] = whole["costs"]
    return spent


def costs_by_model(spent: dict[str, Any]) -> dict[str, tuple[int, int, float | None]]:
    return {
        model["model_id"]: (model["input_tokens"], model["output_tokens"], model["cost_usd"])
        for model in spent["models"]
    }


def test_each_model_has_its_own_cost(sandbox: Sandbox) -> None:
    sandbox.fake_claude(RESULTS + 'result(0.75, {"big": usage(1000, 100, 0.5), "small": usage(2000, 50, 0.25)})')
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    spent = costs(sandbox, session_id)
    assert costs_by_model(spent) == {"big": (1000, 100, 0.5), "small": (2000, 50, 0.25)}
    markdown = sandbox.ok("export", session_id)
    assert "| big | 1,000 | 100 | 7 | 3 | $0.50 |" in markdown
    assert "| all | 3,000 | 150 | 14 | 6 | $0.75 |" in markdown
    assert "<td>1,000</td>" in sandbox.ok("export", session_id, "--format", "html")


def test_earlier_cost_of_a_conversation_is_not_this_sessions(sandbox: Sandbox) -> None:
    sandbox.fake_claude(
        RESULTS
        + """
new = {"big": {"inputTokens": 10, "outputTokens": 5, "costUSD": 0.125}}
both = {"big": usage(1000, 100, 0.5), "small": usage(2000, 50, 0.25)}
result(0.75, both, model_usage_since_last_result=new)
"""
    )
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    assert costs_by_model(costs(sandbox, session_id)) == {"big": (10, 5, 0.125)}


def test_each_run_has_its_own_cost(sandbox: Sandbox) -> None:
    sandbox.fake_claude(
        RESULTS
        + """
if os.path.exists("tried"):
    result(0.75, {"big": usage(3000, 300, 0.75)})
else:
    open("tried", "w").close()
    result(0.5, {"big": usage(1000, 100, 0.5)}, is_error=True, result="API Error: 529", api_error_status=529)
    sys.exit(1)
"""
    )
    session_id = sandbox.launch("Go", "--retries", "1")
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    spent = costs(sandbox, session_id)
    assert costs_by_model(spent) == {"big": (3000, 300, 0.75)}
    assert [(run["input_tokens"], run["cost_usd"]) for run in spent["runs"]] == [(1000, 0.5), (2000, 0.25)]
    assert "| run 2 | 2,000 | 200 | 0 | 0 | $0.25 |" in sandbox.ok("export", session_id)
    assert "By run of Claude Code" in sandbox.ok("export", session_id, "--format", "html")


def test_interrupted_answer_counts_without_a_result(sandbox: Sandbox) -> None:
    sandbox.fake_claude(RESULTS + 'say("half of it")')
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    spent = costs(sandbox, session_id)
    assert costs_by_model(spent) == {"big": (30000, 2000, None)}
    assert spent["runs"] == [None]


@pytest.mark.parametrize("models", ['"none"', "{}", '{"big": 5, "other": []}', '{"big": {"costUSD": "much"}}'])
def test_invalid_numbers_cost_nothing(sandbox: Sandbox, models: str) -> None:
    sandbox.fake_claude(RESULTS + f"result(None, {models})")
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    assert costs(sandbox, session_id)["models"] == []


def test_session_without_a_journal_keeps_its_own_numbers(sandbox: Sandbox) -> None:
    sandbox.fake_claude(RESULTS + 'result(0.75, {"big": usage(1000, 100, 0.5), "small": usage(2000, 50, 0.25)})')
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    sandbox.files(session_id).journal.unlink()
    assert costs_by_model(costs(sandbox, session_id)) == {"big": (3000, 150, 0.75)}
