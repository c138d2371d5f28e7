from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hldctl.claude.usage import Tokens
from hldctl.ingest.reducer import Reducer
from hldctl.ingest.state import ReducerState, model_family
from hldctl.store.events import COLUMNS

Json = dict[str, Any]


def reduce_lines(*lines: Json | bytes) -> Reducer:
    fold = Reducer("session", ReducerState())
    for line in lines:
        fold.apply(line if isinstance(line, bytes) else json.dumps(line).encode(), arrived_at=1000)
    return fold


def assistant(
    *content: Json, id: str = "msg_1", parent: str | None = None, model: str = "claude-opus-5", **usage: int
) -> Json:
    message: Json = {"id": id, "role": "assistant", "model": model, "content": list(content)}
    if usage:
        message["usage"] = usage
    return {"type": "assistant", "message": message, "parent_tool_use_id": parent, "session_id": "claude-1"}


def text(content: str) -> Json:
    return {"type": "text", "text": content}


def result(**values: Any) -> Json:
    return {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "duration_ms": 10} | values


def test_sequence_numbers_follow_the_prompt_without_a_gap() -> None:
    fold = reduce_lines(assistant(text("a"), text("b")), b"garbage", assistant(text("c")))
    assert [row[1] for row in fold.rows] == [2, 3, 4, 5]


def test_line_has_its_own_timestamp_or_its_arrival_time() -> None:
    timed = assistant(text("a")) | {"timestamp": "2026-11-22T19:51:12.608Z"}
    assert [row[-1] for row in reduce_lines(timed, assistant(text("b"))).rows] == [1795377072608, 1000]
    assert reduce_lines(assistant(text("a")) | {"timestamp": "yesterday"}).rows[0][-1] == 1000


def test_conversation_id_and_model_come_from_the_stream() -> None:
    init = {"type": "system", "subtype": "init", "session_id": "claude-1", "model": "claude-opus-5[1m]"}
    columns = reduce_lines(init, init | {"session_id": "claude-2"}).state.columns()
    assert (columns["claude_session_id"], columns["model"]) == ("claude-1", "opus")
    assert columns["model_id"] == "claude-opus-5[1m]"


def test_model_is_the_latest() -> None:
    init = {"type": "system", "subtype": "init", "session_id": "claude-1", "model": "claude-opus-5[1m]"}
    same = reduce_lines(init, assistant(text("a"), model="claude-opus-5", input_tokens=1)).state
    assert same.columns()["model_id"] == "claude-opus-5[1m]"
    changed = reduce_lines(init, assistant(text("a"), model="claude-haiku-5", input_tokens=1)).state
    assert changed.columns()["model"] == "haiku"
    next_turn = reduce_lines(init, init | {"model": "claude-haiku-5"}).state
    assert next_turn.columns()["model"] == "haiku"
    subagent = reduce_lines(init, assistant(text("a"), model="claude-haiku-5", parent="toolu_1", input_tokens=1)).state
    assert subagent.columns()["model"] == "opus"


def repeated(message: str, content: str) -> Json:
    return {"type": "user", "isReplay": True, "uuid": message, "message": {"role": "user", "content": content}}


def test_messages_that_begin_a_turn_together_keep_their_own_texts() -> None:
    init = {"type": "system", "subtype": "init"}
    joined = [repeated("a", "First"), repeated("b", "Second\nline"), init, repeated("c", "First\nSecond\nline\nThird")]
    fold = reduce_lines(
        init, repeated("session", "Hello"), result(), *joined, assistant(text("x")), repeated("d", "First")
    )
    contents = [row[4] for row in fold.rows]
    assert contents == ["First", "Second\nline", "Third", "x", "First"]
    # Not joined: they were sent one after the other, in the same turn or in turns of their own.
    alone = [
        init,
        repeated("a", "First"),
        repeated("b", "First\nSecond"),
        result(),
        init,
        repeated("c", "First\nThird"),
    ]
    assert [row[4] for row in reduce_lines(*alone).rows] == ["First", "First\nSecond", "First\nThird"]
    with_query = [repeated("session", "Hello"), init, repeated("a", "Hello\nFirst")]
    assert [row[4] for row in reduce_lines(*with_query).rows] == ["First"]


def test_model_family_is_the_short_name() -> None:
    ids = {"claude-opus-5[1m]": "opus", "claude-3-5-sonnet-20241022": "sonnet", "claude-fable-1": "fable", "gpt": "gpt"}
    assert {model: model_family(model) for model in ids} == ids


def test_context_size_is_from_the_last_main_message() -> None:
    state = reduce_lines(
        assistant(text("a"), id="m1", input_tokens=10, output_tokens=1, cache_read_input_tokens=100),
        assistant(text("b"), id="m2", parent="toolu_1", input_tokens=5000, output_tokens=1),
    ).state
    assert state.columns()["effective_context_tokens"] == 111
    assert state.tokens is not None
    assert (state.tokens.input, state.tokens.cache_read) == (5010, 100)


def test_usage_counts_once_though_each_block_repeats_it() -> None:
    lines = [assistant(text(letter), id="m1", input_tokens=10, output_tokens=1) for letter in "abc"]
    assert reduce_lines(*lines).state.columns()["input_tokens"] == 10


def test_partial_messages_give_the_output_length() -> None:
    delta = {"type": "stream_event", "event": {"type": "message_delta", "usage": {"output_tokens": 86}}}
    message = assistant(text("a"), input_tokens=10, output_tokens=1)
    columns = reduce_lines(message, delta).state.columns()
    assert (columns["effective_context_tokens"], columns["output_tokens"]) == (96, 86)
    subagents = reduce_lines(message, delta | {"parent_tool_use_id": "toolu_1"}).state.columns()
    assert subagents["effective_context_tokens"] == 11


def test_zero_cost_is_a_known_cost() -> None:
    columns = reduce_lines(result(total_cost_usd=0, modelUsage={})).state.columns()
    assert (columns["cost_usd"], columns["output_tokens"]) == (0, 0)


def test_api_error_is_marked_as_such() -> None:
    refused = assistant(text("API Error")) | {"is_api_error_message": True}
    assert reduce_lines(refused).rows[0][COLUMNS.index("is_error")] is True


def test_synthetic_messages_name_no_model() -> None:
    synthetic = assistant(text("API Error"), input_tokens=0, output_tokens=0)
    synthetic["message"]["model"] = "<synthetic>"
    state = reduce_lines(assistant(text("a"), input_tokens=10, output_tokens=1), synthetic).state
    assert state.columns()["effective_context_tokens"] == 11


def test_results_are_added_but_cost_is_cumulative() -> None:
    usage = {"claude-opus-5": {"inputTokens": 7, "outputTokens": 40, "contextWindow": 1000000}}
    columns = reduce_lines(
        assistant(text("a"), input_tokens=7, output_tokens=1),
        result(total_cost_usd=0.5, result="first"),
        result(total_cost_usd=0.75, result="second", modelUsage=usage),
    ).state.columns()
    assert (columns["num_turns"], columns["duration_ms"]) == (2, 20)
    assert (columns["cost_usd"], columns["result_content"]) == (0.75, "second")
    assert (columns["output_tokens"], columns["context_window"]) == (40, 1000000)


def test_earlier_cost_of_a_resumed_conversation_is_left_out() -> None:
    everything = {"m": {"inputTokens": 30, "outputTokens": 9, "costUSD": 0.75}}
    new = {"m": {"inputTokens": 10, "outputTokens": 4, "costUSD": 0.25}}
    first = result(total_cost_usd=0.75, modelUsage=everything, model_usage_since_last_result=new)
    columns = reduce_lines(first).state.columns()
    assert (columns["cost_usd"], columns["input_tokens"], columns["output_tokens"]) == (0.5 - 0.25, 10, 4)


def test_interrupted_continuation_keeps_the_usage_of_its_answer() -> None:
    inherited = {"m": {"inputTokens": 100, "outputTokens": 10, "costUSD": 0.5}}
    aborted = result(total_cost_usd=0.5, modelUsage=inherited, model_usage_since_last_result={})
    columns = reduce_lines(assistant(text("a"), input_tokens=700, output_tokens=1), aborted).state.columns()
    assert (columns["input_tokens"], columns["cost_usd"]) == (700, 0)


def test_tool_result_completes_its_call() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}}
    answer = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "out", "is_error": True}
    fold = reduce_lines(assistant(call), {"type": "user", "message": {"role": "user", "content": [answer]}})
    assert fold.completed_tools == ["toolu_1"]
    assert [row[2] for row in fold.rows] == ["tool_call", "tool_result"]


def test_unknown_lines_are_counted_and_unreadable_ones_noted() -> None:
    fold = reduce_lines(
        {"type": "novelty"}, {"type": "system", "subtype": "news"}, {"type": "novelty"}, b"\xff\x00", b"  "
    )
    assert fold.state.unknown_lines == {"novelty": 2, "system/news": 1}
    assert fold.state.unreadable_lines == 1
    assert [row[2] for row in fold.rows] == ["system"]


def test_excess_unknown_kinds_are_counted_together() -> None:
    lines: list[Json] = [{"type": f"novelty-{number}"} for number in range(200)]
    unknown = reduce_lines(*lines, *lines, {"type": "x" * 9000}).state.unknown_lines
    assert len(unknown) == 51
    assert (unknown["novelty-0"], unknown["novelty-49"], unknown["other"]) == (2, 2, 301)
    assert max(map(len, reduce_lines({"type": "x" * 9000}).state.unknown_lines)) == 100


def test_oldest_subagents_and_reads_are_forgotten_at_the_limit() -> None:
    messages = [
        assistant(text("a"), id=f"m{number}", parent=f"toolu_{number}", input_tokens=1) for number in range(300)
    ]
    read = [{"type": "tool_use", "id": f"toolu_{n}", "name": "Read", "input": {"file_path": "f"}} for n in range(1500)]
    state = reduce_lines(*messages, messages[-1], assistant(*read)).state
    assert state.columns()["input_tokens"] == 300
    assert [*state.counted_messages][-1] == "toolu_299"
    assert (len(state.counted_messages), len(state.reads)) == (100, 1000)


def test_denial_counts_once_though_later_results_repeat_it() -> None:
    denials = [{"tool_name": "Bash", "tool_use_id": f"toolu_{number}"} for number in range(5000)]
    lines = [result(permission_denials=denials[:count]) for count in (1, 2, 5000, 5000)]
    fold = reduce_lines(*lines[:2])
    assert fold.state.permission_denials == denials[:2]
    later = Reducer("session", through_database(fold.state))
    for line in lines[2:]:
        later.apply(json.dumps(line).encode(), arrived_at=1000)
    assert later.state.permission_denials == denials


def through_database(state: ReducerState) -> ReducerState:
    """Return the state as another supervisor reads it from the database."""
    return ReducerState.from_json(json.loads(json.dumps(state.as_json())), state.result_content)


def test_state_of_an_older_or_newer_version_can_be_continued() -> None:
    assert ReducerState.from_json({"sequence": 7, "tokens": [1, 2, 3, 4]}, "said") == ReducerState(
        sequence=7, tokens=Tokens(1, 2, 3, 4), result_content="said"
    )
    assert ReducerState.from_json({}, None) == ReducerState()
    newer = ReducerState(lines=3).as_json() | {"of_tomorrow": [1], "result_content": "not this one"}
    assert ReducerState.from_json(newer, None) == ReducerState(lines=3)


@pytest.mark.parametrize("number", [10**400, -(10**400), 2**63, 1.7e308, -1.7e308])
def test_number_out_of_range_is_none(number: float) -> None:
    columns = reduce_lines(result(num_turns=number, duration_ms=number, total_cost_usd=number)).state.columns()
    assert (columns["num_turns"], columns["duration_ms"], columns.get("cost_usd")) == (0, 0, None)
    usage = {"a": {"costUSD": number}, "b": {"costUSD": number}}
    columns = reduce_lines(result(total_cost_usd=2, model_usage_since_last_result=usage)).state.columns()
    assert columns["cost_usd"] == 0


def test_final_message_of_an_interrupt_is_recognised() -> None:
    message = {"type": "user", "message": {"role": "user", "content": [text("[Request interrupted by user]")]}}
    assert reduce_lines(message).state.interrupted
    assert not reduce_lines(message, assistant(text("on I go"))).state.interrupted


def test_numbers_out_of_range_fit_into_the_database() -> None:
    huge = 2**53
    lines = [assistant(text("a"), id=f"m{number}", input_tokens=huge, output_tokens=huge) for number in range(3)]
    columns = reduce_lines(*lines, result(num_turns=huge), result(num_turns=huge)).state.columns()
    assert all(abs(value) < 2**63 for value in columns.values() if isinstance(value, int))
    assert (
        reduce_lines(assistant(text("a")) | {"timestamp": "9999-12-31T23:59:59.999999Z"}).rows[0][-1] < 253402300800000
    )


@pytest.mark.parametrize(
    "line", [b'{"type": "system", "subtype": []}', b'{"a": "\\ud800", "b": ' + b"[" * 600 + b"]" * 600 + b"}"]
)
def test_unusual_lines_are_skipped(line: bytes) -> None:
    assert reduce_lines(line).state.lines == 1


def test_id_named_only_by_a_result_has_no_conversation() -> None:
    assert reduce_lines(result(session_id="x")).state.claude_session_id is None
    assert reduce_lines(assistant(text("a")), result(session_id="x")).state.claude_session_id == "claude-1"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=6,
)
names = st.sampled_from(
    "type subtype message content role id usage model session_id parent_tool_use_id timestamp text thinking tool_use_id"
    " name input is_error result errors total_cost_usd modelUsage num_turns duration_ms permission_denials"
    " input_tokens model_usage_since_last_result terminal_reason".split()
)
kinds = st.sampled_from("assistant user system result rate_limit_event tool_use tool_result text thinking init".split())
likely = st.recursive(
    anything | kinds,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(names, children, max_size=6),
    max_leaves=20,
)
events = st.dictionaries(names, likely, max_size=8).map(lambda event: json.dumps(event).encode())
lines = st.binary(max_size=60) | anything.map(lambda value: json.dumps(value).encode()) | events


@settings(max_examples=400, deadline=None)
@given(st.lists(lines, max_size=12), st.data())
def test_reducing_in_pieces_equals_reducing_at_once_without_errors(stream: list[bytes], data: st.DataObject) -> None:
    whole = reduce_lines(*stream)
    cut = data.draw(st.integers(0, len(stream)))
    first = reduce_lines(*stream[:cut])
    through_database = json.loads(json.dumps(first.state.as_json()))
    second = Reducer("session", ReducerState.from_json(through_database, first.state.result_content))
    for line in stream[cut:]:
        second.apply(line, arrived_at=1000)
    assert first.rows + second.rows == whole.rows
    assert first.completed_tools + second.completed_tools == whole.completed_tools
    assert json.dumps(second.state.as_json()) == json.dumps(whole.state.as_json())
    assert first.state.columns() | second.state.columns() == whole.state.columns()
    assert [row[1] for row in whole.rows] == list(range(2, len(whole.rows) + 2))
