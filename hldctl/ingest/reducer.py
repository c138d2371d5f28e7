"""The reducer: from the lines of a journal to events and totals, the same in whatever batches the lines come."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from hldctl.claude import events, mcp, read_tool, usage
from hldctl.claude.events import Entry, is_known, parse_entries, parse_result, structured_result
from hldctl.claude.fast_decode import decode
from hldctl.claude.input_messages import is_check_output, is_own_message
from hldctl.claude.stream import JsonObject, mapping, parse_timestamp_ms, text, whole_number
from hldctl.claude.usage import Tokens
from hldctl.ingest import background_work, joined_messages, spending
from hldctl.ingest.spending import Spent
from hldctl.ingest.state import ReducerState, model_family
from hldctl.protocol.restart import FoundMessage, Restart
from hldctl.states import EventType, NoteKind, RestartKind
from hldctl.store.events import Row
from hldctl.store.messages import Progress

# The state is stored with each step, so what could grow with the journal is limited.
_MAX_KINDS = 50
_MAX_KIND_LENGTH = 100
_OTHER_KINDS = "other"
# Looked up once, and not for each line.
_NOTE = EventType.SYSTEM
_MAX_SUBAGENTS = 100
_MAX_READS = 1000
_MAX_HOST_REQUESTS = 100
_NOTE_KINDS = {
    RestartKind.CHECK: NoteKind.CHECK_FAILED,
    RestartKind.MESSAGE: NoteKind.CHECK_PASSED,
    RestartKind.RETRY: NoteKind.RESTART,
    RestartKind.RESET: NoteKind.RESTART,
}


def _digest(value: JsonObject) -> bytes:
    """Return a hash that is equal for equal objects."""
    # Imported here: it loads OpenSSL, and most sessions have no denied calls.
    import hashlib

    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()


def _message_kind(message_id: str) -> NoteKind:
    return NoteKind.CHECK_OUTPUT if is_check_output(message_id) else NoteKind.SENT


def _drop_oldest(items: dict[str, Any], limit: int) -> None:
    if len(items) > limit:
        del items[next(iter(items))]


class Snapshot(NamedTuple):
    """The content of a file when Read showed it, or the part that was shown."""

    tool_id: str
    path: str
    content: str
    is_complete: bool
    created_at: int


class Reducer:
    """The reducer of one session: applies lines to `state`, and collects the rows that they add."""

    def __init__(
        self,
        session_id: str,
        state: ReducerState,
        interrupting_denial: Callable[[str, str], str | None] = lambda tool_id, tool_name: None,
    ) -> None:
        """`interrupting_denial` returns the reason if this call of this tool was denied with an interrupt, else None.

        The journal does not have it: such a result is that of a call that was interrupted (2.1.332).
        """
        self.state = state
        self._interrupting_denial = interrupting_denial
        self._session_id = session_id
        self._denials = {_digest(denial) for denial in state.permission_denials}
        self.clear_step()

    def clear_step(self) -> None:
        """Clear what was collected since the last step, which has been recorded."""
        self.rows: list[Row] = []
        self.completed_tools: list[str] = []
        self.decisions: dict[str, bool] = {}
        """For completed calls, whether they were allowed, if the result shows it."""
        self.snapshots: list[Snapshot] = []
        self.mcp_states: list[tuple[str, str]] = []
        self.messages: list[Progress] = []
        self.spent: list[Spent] = []

    def apply(self, line: bytes, arrived_at: int) -> None:
        """Apply one line, without its newline. Never raise, whatever it contains."""
        if (event := decode(line)) is not None:
            self._apply_event(event, arrived_at)
        elif line.strip():
            self.skip_unreadable(len(line), arrived_at)

    def apply_head(self, head: bytes, length: int, end: int, arrived_at: int) -> None:
        """Apply what can be parsed of the head of a line that is too long, and add a note where the whole line is.

        `end` is the offset in the journal after the line.
        """
        # Imported here: there are few such lines, and every supervisor would pay for the import.
        from hldctl.claude.line_head import decode_head

        if (event := decode_head(head)) is not None:
            self._apply_event(event, arrived_at)
        else:
            self.state.lines += 1
        self.state.unreadable_lines += 1
        note = (
            f"Claude Code wrote a line of {length} bytes, of which only the beginning is recorded; "
            f"the whole line ends at byte {end} of the journal."
        )
        self._append(Entry(_NOTE, "system", note, note_kind=NoteKind.UNREADABLE_LINE), arrived_at)

    def _apply_event(self, event: JsonObject, arrived_at: int) -> None:
        state = self.state
        state.lines += 1
        created_at = parse_timestamp_ms(event.get("timestamp")) or arrived_at
        kind = event.get("type")
        if kind not in ("assistant", "user"):
            self._apply_other(event, kind, created_at)
        # Not from a result: after a failed resume, it has an id that never had a conversation.
        if state.claude_session_id is None and kind != "result":
            state.claude_session_id = text(event.get("session_id"))
        if events.is_replayed_message(event):
            self._apply_message(event, created_at)
            return
        entries = parse_entries(event)
        if kind == "assistant":
            self._apply_usage(event, entries, created_at)
        elif kind == "system":
            background_work.apply_task_line(state, event, created_at)
            entries = background_work.label_entries(state, event, entries)
        if state.tasks:
            background_work.apply_turn(state, kind, entries, created_at)
        for entry in entries:
            self._add_denial(entry, event, created_at)
            self._append(entry, created_at)
            if entry.note_kind is NoteKind.TASK_RECEIPT:
                background_work.apply_result(state, entry, event)
            if entry.tool_result_for_id is not None and entry.event_type is not _NOTE:
                self._apply_decision(entry.tool_result_for_id, event, is_error=entry.is_error)
            if entry.tool_name == "Read" or entry.tool_result_for_id in state.reads:
                self._take_snapshot(entry, event, created_at)

    def _add_denial(self, entry: Entry, event: JsonObject, created_at: int) -> None:
        """Add the note of a denied call if Claude Code has asked its host: then it writes no such line (2.1.332)."""
        tool_name = self.state.asked_calls.pop(entry.tool_result_for_id or "", None)
        tool_id = entry.tool_result_for_id or ""
        if tool_name is None:
            return
        if events.is_allowed(event, tool_id, is_error=entry.is_error) is False:
            reason = entry.tool_result_content
        elif events.is_rejected(event, tool_id):
            reason = self._interrupting_denial(tool_id, tool_name)
        else:
            return
        if reason is not None:
            note = events.denial_text(tool_name, reason)
            self._append(Entry(_NOTE, "system", note, note_kind=NoteKind.PERMISSION_DENIED), created_at)

    def _apply_message(self, event: JsonObject, created_at: int) -> None:
        """Apply the echo of a message that was written to Claude Code, at its place in the conversation."""
        if (output := events.local_command_output(event)) is not None:
            self._append(Entry(_NOTE, "system", output, note_kind=NoteKind.INFORMATION), created_at)
            return
        message_id = text(event.get("uuid")) or ""
        kind = _message_kind(message_id)
        entries = [
            entry._replace(content=joined_messages.own_text(self.state, entry.content or ""), note_kind=kind)
            for entry in parse_entries(event)
        ]
        if message_id == self._session_id:
            # The query, which is the first event from the start.
            self.messages.append(Progress(message_id, created_at, 1))
        elif not is_own_message(message_id):
            for entry in entries:
                self._append(entry, created_at)
            self.messages.append(Progress(message_id, created_at, self.state.sequence))

    def add_found_message(self, message: FoundMessage) -> None:
        """Add a message that the model has, although Claude Code was killed before it repeated it in its stream."""
        entry = Entry(EventType.MESSAGE, "user", message.text, note_kind=_message_kind(message.id))
        self._append(entry, message.at)
        self.messages.append(Progress(message.id, message.at, self.state.sequence))
        self.state.restarts_told += 1

    def end_check(self, note: str, ended_at: int, *, passed: bool | None) -> None:
        """Add the note of a check that no restart follows; `passed` is None if it was stopped."""
        kind = NoteKind.CHECK_FAILED if passed is False else NoteKind.CHECK_PASSED
        self._append(Entry(_NOTE, "system", note, note_kind=kind), ended_at)
        self.state.restarts_told += 1

    def settle(self) -> bool:
        """Count what the run has spent since its last result, after its end; return False if there is nothing."""
        rest = spending.settle_rest(self.state)
        self.spent += rest
        return bool(rest)

    def begin_run(self, restart: Restart) -> None:
        """Add the note of a restart, and discard the previous run's end, which is not the session's end."""
        state = self.state
        self.settle()
        self._append(Entry(_NOTE, "system", restart.note, note_kind=_NOTE_KINDS[restart.kind]), restart.at)
        state.restarts_told += 1
        state.last_result = None
        state.forget_output()
        state.begin_turn()
        state.interrupted = state.spoken_since_result = state.is_idle = False
        state.turn_ended_at = None
        joined_messages.end_turn(state)
        state.background_calls.clear()
        state.host_requests.clear()
        state.asked_calls.clear()
        if state.tasks is not None:
            state.tasks = {}

    def skip_unreadable(self, length: int, arrived_at: int) -> None:
        """Add a note for a line that cannot be parsed; the journal keeps the line."""
        self.state.lines += 1
        self.state.unreadable_lines += 1
        note = f"Claude Code wrote a line that cannot be read ({length} bytes); it is in the journal."
        self._append(Entry(_NOTE, "system", note, note_kind=NoteKind.UNREADABLE_LINE), arrived_at)

    def _append(self, entry: Entry, created_at: int) -> None:
        state = self.state
        state.sequence += 1
        if created_at > (state.last_activity_at or -1):
            state.last_activity_at = created_at
        state.interrupted = entry.note_kind is NoteKind.INTERRUPTED
        if entry.event_type is not _NOTE:
            state.spoken_since_result = True
        self.rows.append((self._session_id, state.sequence, *entry, False, created_at))
        if entry.tool_result_for_id is not None and entry.event_type is not _NOTE:
            self.completed_tools.append(entry.tool_result_for_id)

    def _apply_decision(self, tool_id: str, event: JsonObject, *, is_error: bool) -> None:
        allowed = events.is_allowed(event, tool_id, is_error=is_error)
        if allowed is not None:
            self.decisions[tool_id] = allowed

    def _take_snapshot(self, entry: Entry, event: JsonObject, created_at: int) -> None:
        reads = self.state.reads
        if entry.tool_name == "Read":
            if entry.tool_id is not None and (read := read_tool.parse_read_call(entry.tool_input)) is not None:
                reads[entry.tool_id] = read
                _drop_oldest(reads, _MAX_READS)
        else:
            tool_id = entry.tool_result_for_id or ""
            read = read_tool.ReadCall(*reads.pop(tool_id))
            if not entry.is_error:
                excerpt = read_tool.file_excerpt(read, structured_result(event), entry.tool_result_content or "")
                self.snapshots.append(Snapshot(tool_id, read.path, excerpt.content, excerpt.is_complete, created_at))

    def _count_unknown(self, event: JsonObject) -> None:
        name = "/".join(part for part in (text(event.get("type")), text(event.get("subtype"))) if part) or "no type"
        name, counts = name[:_MAX_KIND_LENGTH], self.state.unknown_lines
        if name not in counts and len(counts) >= _MAX_KINDS:
            name = _OTHER_KINDS
        counts[name] = counts.get(name, 0) + 1

    def _apply_other(self, event: JsonObject, kind: Any, arrived_at: int) -> None:
        """Apply a line that is not part of a conversation."""
        if not is_known(event):
            self._count_unknown(event)
        elif kind == "result":
            self._apply_result(event, arrived_at)
            self.messages.append(Progress("", arrived_at, is_answered=True, answer=text(event.get("result"))))
        elif kind == "stream_event":
            self._apply_final_output(event)
        elif kind == "command_lifecycle":
            if (message_id := events.acknowledged_message(event)) is not None:
                self.messages.append(Progress(message_id, arrived_at))
        elif kind in ("control_request", "control_cancel_request"):
            self._apply_host_request(event)
        elif kind == "control_response":
            if (response := events.control_response(event)) is not None:
                self.state.host_requests.pop(response.request_id, None)
                self.messages.append(Progress(response.request_id, arrived_at, answer=response.error))
        elif event.get("subtype") == "session_state_changed":
            self.state.is_idle = event.get("state") == "idle"
            if self.state.is_idle:
                self.state.host_requests.clear()
        elif kind == "rate_limit_event":
            self.state.is_limited = events.is_limit_reached(event)
            self.state.limit_resets_at = events.limit_resets_at(event)
        elif event.get("subtype") == "init":
            # Each turn begins with one, and `hldctl set --model` changes the model in between.
            self.state.model_id = text(event.get("model")) or self.state.model_id
            joined_messages.begin_turn(self.state)
            self.state.begin_turn()
            self.mcp_states += mcp.server_states(event)

    def _apply_model(self, model_id: str | None) -> None:
        """Apply the model of a reply: it may have changed within the turn. The `init` line names it more precisely."""
        current = self.state.model_id
        if model_id and current and model_family(model_id) != model_family(current):
            self.state.model_id = model_id

    def _apply_host_request(self, event: JsonObject) -> None:
        """Record a request for permission until it is withdrawn: normally the hook's answer comes first."""
        if (request := events.permission_request(event)) is not None:
            self.state.host_requests[request.id] = request.tool_id
            self.state.asked_calls[request.tool_id] = request.tool_name
            _drop_oldest(self.state.host_requests, _MAX_HOST_REQUESTS)
            _drop_oldest(self.state.asked_calls, _MAX_HOST_REQUESTS)
        else:
            self.state.host_requests.pop(text(event.get("request_id")) or "", None)

    def _apply_usage(self, event: JsonObject, entries: list[Entry], created_at: int) -> None:
        message = mapping(event.get("message"))
        tokens = usage.message_tokens(message)
        # "<synthetic>" messages come from Claude Code itself, e.g. for an API error; they used no model.
        if tokens is None or message.get("model") == "<synthetic>":
            if event.get("parent_tool_use_id") is None:
                self.state.api_error = text(event.get("error"))
            return
        if event.get("parent_tool_use_id") is None:
            # A refusal before it was not the last word.
            self.state.begin_turn()
        self.state.has_answer = True
        subagent = text(event.get("parent_tool_use_id")) or ""
        if not subagent:
            self.state.last_usage = tokens
            self._apply_model(text(message.get("model")))
        message_id = text(message.get("id")) or ""
        counted = self.state.counted_messages
        if counted.get(subagent) != message_id:
            # Latest last.
            counted.pop(subagent, None)
            counted[subagent] = message_id
            _drop_oldest(counted, _MAX_SUBAGENTS)
            self.state.tokens = (self.state.tokens or Tokens()).plus(tokens)
            new_tokens = tokens
        else:
            new_tokens = None
        length = 0
        for entry in entries:
            length += len(entry.content or entry.tool_input or "")
        spending.add_message(self.state, message, new_tokens, length, created_at)

    def _apply_final_output(self, event: JsonObject) -> None:
        """Correct the output tokens: with --include-partial-messages, the stream has the final length of an answer."""
        delta = mapping(event.get("event"))
        if delta.get("type") != "message_delta" or event.get("parent_tool_use_id") is not None:
            return
        output = whole_number(mapping(delta.get("usage")).get("output_tokens"))
        last, total = self.state.last_usage, self.state.tokens
        if output is not None and last is not None and total is not None and output > last.output:
            self.state.tokens = total._replace(output=total.output + output - last.output)
            self.state.last_usage = last._replace(output=output)

    def _apply_result(self, event: JsonObject, arrived_at: int) -> None:
        state = self.state
        if state.results == 0:
            inherited = usage.inherited_spending(event)
            state.inherited_cost_usd, state.inherited_tokens = inherited.cost_usd or 0.0, inherited.tokens
        state.results += 1
        result = parse_result(event)
        state.last_result = tuple(result._replace(result=None))
        state.interrupted = state.spoken_since_result = False
        joined_messages.end_turn(state)
        state.result_content = result.result if result.result is not None else state.result_content
        state.structured_output = events.structured_output(event) or state.structured_output
        state.num_turns = (state.num_turns or 0) + result.num_turns
        state.duration_ms = (state.duration_ms or 0) + result.duration_ms
        self._apply_denials(result.permission_denials)
        conversation, cost_before = usage.conversation_spending(event), state.cost_usd
        if conversation.cost_usd is not None:
            state.cost_usd = conversation.cost_usd - state.inherited_cost_usd
        self.spent += spending.settle_result(state, state.cost_usd, cost_before, arrived_at)
        own = conversation.tokens.minus(state.inherited_tokens)
        # An interrupted answer is in no model's usage, although its messages reported theirs.
        if any(own) or state.tokens is None:
            state.tokens = own
        state.context_window = usage.context_window(event, state.model_id) or state.context_window

    def _apply_denials(self, denials: list[JsonObject]) -> None:
        """Add each denial once: a result repeats those of the results before it."""
        for denial in denials:
            if (digest := _digest(denial)) not in self._denials:
                self._denials.add(digest)
                self.state.permission_denials.append(denial)
