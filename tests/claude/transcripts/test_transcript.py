"""Transcripts of Claude Code, converted to the lines of its stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hldctl.claude.events import parse_entries
from hldctl.claude.transcripts import transcript
from hldctl.claude.transcripts.transcript import Transcript

ID = "12345678-1234-4234-8234-123456789abc"
Json = dict[str, Any]


def line(kind: str, **fields: Any) -> Json:
    time = {"timestamp": "2026-01-01T00:00:00.000Z"}
    return {"type": kind, "uuid": fields.get("uuid", "u"), "sessionId": ID, "cwd": "/work", **time, **fields}


def typed(content: Any, **fields: Any) -> Json:
    return line("user", message={"role": "user", "content": content}, **fields)


def answered(*blocks: Json | str, message_id: str = "m", model: str = "claude-opus-5", **fields: Any) -> Json:
    content = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
    return line(
        "assistant", message={"id": message_id, "role": "assistant", "model": model, "content": content}, **fields
    )


def call(tool_id: str, **tool_input: Any) -> Json:
    return {"type": "tool_use", "id": tool_id, "name": "Task", "input": tool_input}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / f"{ID}.jsonl"


def read(file: Path, *lines: Json, since_ms: int = 0) -> Transcript:
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    said = transcript.read(file, since_ms)
    assert said is not None
    return said


def messages(said: Transcript) -> list[tuple[str | None, str | None, str | None]]:
    entries = [entry for each in said.lines for entry in parse_entries(each)]
    return [(entry.parent_tool_use_id, entry.role, entry.content) for entry in entries if entry.content is not None]


def test_what_never_reached_the_model_is_left_out(file: Path) -> None:
    said = read(
        file,
        typed("<local-command-caveat>Caveat</local-command-caveat>"),
        typed("<command-name>/clear</command-name>\n<command-args></command-args>"),
        typed("<local-command-stdout>done</local-command-stdout>"),
        typed("Reminder", isMeta=True),
        typed("Hello"),
        answered("Hi."),
        typed("<command-name>/exit</command-name>"),
        line("system", subtype="turn_duration", durationMs=1500),
    )
    assert messages(said) == [(None, "user", "Hello"), (None, "assistant", "Hi.")]
    assert (said.query, said.conversation_id, said.working_dir) == ("Hello", ID, "/work")
    assert said.lines[-1]["duration_ms"] == 1500


def test_command_that_the_model_answered_is_a_message(file: Path) -> None:
    said = read(
        file,
        typed(
            "<command-message>review</command-message><command-name>/review</command-name><command-args>7</command-args>"
        ),
        typed("Review pull request 7.", isMeta=True),
        answered("Fine."),
    )
    assert messages(said) == [(None, "user", "/review 7"), (None, "assistant", "Fine.")]
    assert said.query == "/review 7"


def test_message_typed_while_the_model_worked_is_a_message(file: Path) -> None:
    queued = {"type": "queued_command", "prompt": "And more", "commandMode": "prompt"}
    said = read(file, typed("Hello"), answered("One."), line("attachment", attachment=queued), answered("Two."))
    assert [content for _, role, content in messages(said) if role == "user"] == ["Hello", "And more"]


def test_lines_of_a_subagent_in_an_older_transcript_belong_to_its_call(file: Path) -> None:
    said = read(
        file,
        typed("Hello"),
        answered(call("toolu_1", prompt="Look around.")),
        typed("Look around.", isSidechain=True, uuid="a"),
        answered("Nothing.", isSidechain=True, parentUuid="a", uuid="b"),
        typed([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Nothing."}]),
        answered("Done.", message_id="m2"),
    )
    assert messages(said) == [
        (None, "user", "Hello"),
        ("toolu_1", "user", "Look around."),
        ("toolu_1", "assistant", "Nothing."),
        (None, "assistant", "Done."),
    ]
    assert said.lines[-1]["result"] == "Done."


def test_subagents_of_a_subagent_follow_their_calls(file: Path) -> None:
    directory = file.with_suffix("") / "subagents"
    directory.mkdir(parents=True)
    agents = {"1": [typed("Look."), answered(call("toolu_2", prompt="Deeper."))], "2": [answered("Deep.")]}
    for number, lines in agents.items():
        (directory / f"agent-{number}.meta.json").write_text(json.dumps({"toolUseId": f"toolu_{number}"}))
        (directory / f"agent-{number}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    said = read(file, typed("Hello"), answered(call("toolu_1", prompt="Look.")), answered("Done."))
    assert messages(said)[1:] == [
        ("toolu_1", "user", "Look."),
        ("toolu_2", "assistant", "Deep."),
        (None, "assistant", "Done."),
    ]


def test_part_of_a_conversation_has_its_own_cost_and_query(file: Path) -> None:
    def cost(usd: float, tokens: int) -> Json:
        return {
            "type": "cost-state",
            "totalCostUSD": usd,
            "modelUsage": {"opus": {"costUSD": usd, "inputTokens": tokens}},
        }

    later = {"timestamp": "2026-01-01T01:00:00.000Z"}
    said = read(
        file,
        *(typed("Hello"), answered("One."), cost(1.0, 10)),
        *(typed("More", **later), answered("Two.", message_id="m2", **later), cost(1.5, 14)),
        since_ms=1767229200000,
    )
    assert (said.query, messages(said)) == ("More", [(None, "user", "More"), (None, "assistant", "Two.")])
    assert said.lines[-1]["model_usage_since_last_result"] == {"opus": {"costUSD": 0.5, "inputTokens": 4}}


def test_end_without_a_cost_leaves_it_unknown(file: Path) -> None:
    assert "total_cost_usd" not in read(file, typed("Hello"), answered("Hi.")).lines[-1]


def test_title_that_the_user_gave_comes_first(file: Path) -> None:
    titles = [{"type": "summary", "summary": "A"}, {"type": "custom-title", "customTitle": "B"}]
    assert read(file, *titles, {"type": "ai-title", "aiTitle": "C"}, typed("Hello")).title == "B"


def test_notes_of_the_conversation_are_kept(file: Path) -> None:
    compacted = line("system", subtype="compact_boundary", compactMetadata={"preTokens": 1000})
    error = line("system", subtype="api_error", retryAttempt=1, maxRetries=10, retryInMs=500, error={"status": 529})
    said = read(file, typed("Hello"), error, compacted, typed("Summary", isCompactSummary=True), answered("Hi."))
    assert [content for _, role, content in messages(said) if role == "system"] == [
        "API error 529; attempt 1 of 10 in 0.5 s",
        "Conversation compacted; it had 1000 tokens",
    ]


def test_conversation_that_the_model_continued_by_itself_has_a_query(file: Path) -> None:
    said = read(file, typed("Continue from where you left off.", isMeta=True), answered("Done."))
    assert said.query == "Continue from where you left off."
    assert [each.get("isReplay") for each in said.lines] == [None, True, None, None]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "user"},
        {"type": "user", "message": 1, "timestamp": "2026-01-01T00:00:00Z"},
        {"type": "assistant", "message": {"content": [1, None, {}]}, "timestamp": "2026-01-01T00:00:00Z"},
        {
            "type": "attachment",
            "attachment": {"type": "queued_command", "commandMode": "prompt"},
            "timestamp": "2026-01-01T00:00:00Z",
        },
        {"type": "cost-state", "modelUsage": [1]},
        {"type": 5},
        {"type": "system", "durationMs": "x", "timestamp": "2026-01-01T00:00:00Z"},
    ],
)
def test_unexpected_values_are_not_fatal(file: Path, event: Json) -> None:
    said = read(file, event, typed("Hello"), answered("Hi."))
    assert said.lines[-1]["result"] == "Hi."
