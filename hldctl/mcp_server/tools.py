"""The tools of the MCP server: name, description, input, and the call of the Python API."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hldctl.client.as_json import as_json
from hldctl.client.client import Client
from hldctl.mcp_server.option_schema import option_properties
from hldctl.mcp_server.waiting import Call, wait_in_steps
from hldctl.states import ENDED, Status

_MOST_EVENTS = 50
_MOST_CHARACTERS = 2_000
_MOST_SESSIONS = 20
_LONG_FIELDS = ("content", "tool_result_content")

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """A tool that an agent can call."""

    name: str
    description: str
    properties: Mapping[str, JsonObject]
    required: tuple[str, ...]
    run: Callable[[Client, JsonObject, Call], JsonObject]
    """Returns the result; runs in a thread of its own."""
    is_read_only: bool = False

    @property
    def input_schema(self) -> JsonObject:
        """The JSON Schema of the arguments."""
        return {
            "type": "object",
            "properties": dict(self.properties),
            "required": list(self.required),
            "additionalProperties": False,
        }


_SESSION = {"type": "string", "description": "The session: its id, the beginning of the id, its name, or `last`."}
_SESSIONS = {"type": "array", "items": _SESSION, "minItems": 1}
_APPROVAL = {"type": "string", "description": "The id of the request, or the beginning of it."}
_QUERY = {"type": "string", "description": "What Claude Code shall do. It knows nothing else, so say everything."}
_ID = {
    "type": "string",
    "format": "uuid",
    "description": "The id of the new session, so that the call can be repeated safely.",
}
_TIMEOUT = {"type": "number", "description": "Return after this many seconds, whatever has happened until then."}
_STATUSES = [str(status) for status in Status]


def _launch(client: Client, given: JsonObject, call: Call) -> JsonObject:
    return as_json(client.launch(given.pop("query"), session_id=given.pop("session_id", None), **given))


def _continue(client: Client, given: JsonObject, call: Call) -> JsonObject:
    session, query, session_id = given.pop("session"), given.pop("query"), given.pop("session_id", None)
    return as_json(client.continue_(session, query, session_id=session_id, **given))


def _send(client: Client, given: JsonObject, call: Call) -> JsonObject:
    message_id = str(uuid.uuid4())

    def send(*, wait: bool, timeout: float | None) -> JsonObject:
        # The id makes it the same message each time.
        sent = client.send(
            given["session"],
            given["text"],
            interrupt=given.get("interrupt", False),
            wait=wait,
            timeout=timeout,
            message_id=message_id,
        )
        return as_json(sent)

    sent = send(wait=False, timeout=None)
    if not given.get("wait", True):
        return sent
    answered = wait_in_steps(
        call,
        given.get("timeout"),
        lambda seconds: send(wait=True, timeout=seconds),
        lambda: _doing(client, given["session"]),
    )
    return sent if answered is None else answered


def _wait(client: Client, given: JsonObject, call: Call) -> JsonObject:
    until, any_of_them = given.get("until"), given.get("any", False)

    def wait(seconds: float) -> list[JsonObject]:
        reached = client.wait_for(given["sessions"], timeout=seconds, until=until, any_of_them=any_of_them)
        return [as_json(session) for session in reached]

    def doing() -> str:
        return "; ".join(_doing(client, each) for each in given["sessions"])

    reached = wait_in_steps(call, given.get("timeout"), wait, doing)
    current = [as_json(client.session(each)) for each in given["sessions"]] if reached is None else reached
    return {"sessions": current, "timed_out": reached is None}


def _doing(client: Client, ref: str) -> str:
    """Return what a session is doing, in a few words."""
    session = client.session(ref)
    if session.status in ENDED:
        return f"{session.id[:8]} {session.status}"
    activity = client.activity(session.id)
    words = [] if activity is None else [activity["kind"], activity["tool"] or "", activity["argument"] or ""]
    return " ".join([session.id[:8], *" ".join(filter(None, words)).split()])[:120]


def _interrupt(client: Client, given: JsonObject, call: Call) -> JsonObject:
    stopped = client.interrupt(given["session"], turn=given.get("turn", False), tree=given.get("tree", False))
    return as_json(stopped)


def _close(client: Client, given: JsonObject, call: Call) -> JsonObject:
    return as_json(client.close(given["session"]))


def _show(client: Client, given: JsonObject, call: Call) -> JsonObject:
    session = client.session(given["session"])
    return {**as_json(session), "activity": client.activity(session.id)}


def _list(client: Client, given: JsonObject, call: Call) -> JsonObject:
    limit = given.get("limit", _MOST_SESSIONS)
    sessions = client.sessions(
        statuses=given.get("statuses", ()),
        directory=given.get("directory"),
        name=given.get("name"),
        group=given.get("group"),
        words=given.get("words"),
        limit=limit,
    )
    return {"sessions": [as_json(session) for session in sessions]}


def _events(client: Client, given: JsonObject, call: Call) -> JsonObject:
    limit, length = given.get("limit", _MOST_EVENTS), given.get("max_characters", _MOST_CHARACTERS)
    shown: list[JsonObject] = []
    for event in client.events(given["session"], after=given.get("after", 0)):
        if len(shown) == limit:
            return {"events": shown, "has_more": True}
        values = as_json(event)
        shown.append(values | {name: _cut(values[name], length) for name in _LONG_FIELDS})
    return {"events": shown, "has_more": False}


def _cut(text: str | None, length: int) -> str | None:
    if text is None or len(text) <= length:
        return text
    return f"{text[:length]}… ({len(text) - length} more characters)"


def _search(client: Client, given: JsonObject, call: Call) -> JsonObject:
    matches = client.search(
        given["words"],
        session=given.get("session"),
        role=given.get("role"),
        tool=given.get("tool"),
        limit=given.get("limit", _MOST_SESSIONS),
    )
    return {"matches": [as_json(match) for match in matches]}


def _approvals(client: Client, given: JsonObject, call: Call) -> JsonObject:
    listed = client.approvals(given.get("session"), answered_too=given.get("answered_too", False))
    return {"approvals": [as_json(approval) for approval in listed]}


def _approve(client: Client, given: JsonObject, call: Call) -> JsonObject:
    approved = client.approve(given["approval"], comment=given.get("comment"), always=given.get("always", False))
    return as_json(approved)


def _deny(client: Client, given: JsonObject, call: Call) -> JsonObject:
    return as_json(client.deny(given["approval"], given.get("comment")))


def _answer(client: Client, given: JsonObject, call: Call) -> JsonObject:
    return as_json(client.answer(given["approval"], *given["choices"]))


def all_tools() -> tuple[Tool, ...]:
    """Return the tools."""
    options = option_properties()
    return (
        Tool(
            "launch",
            "Start a Claude Code session in the background and return it at once. It works on its own, in a directory "
            "of this machine, and nobody answers its questions unless `approvals` is true: give it the tools that it "
            "needs with `allowed_tools`. Follow with `wait`.",
            {"query": _QUERY, "session_id": _ID, **options},
            ("query",),
            _launch,
        ),
        Tool(
            "continue",
            "Start a session that continues the conversation of another that has ended, with its settings. If it still "
            "runs, it is interrupted; use `send` to talk to a running one.",
            {"session": _SESSION, "query": _QUERY, "session_id": _ID, **options},
            ("session", "query"),
            _continue,
        ),
        Tool(
            "send",
            "Send a message to a running session. Without `wait`, return once it has the message; otherwise, which is "
            "the default, once it was answered: `answer` is the answer.",
            {
                "session": _SESSION,
                "text": {"type": "string", "description": "The message."},
                "wait": {"type": "boolean", "default": True, "description": "Wait for the answer."},
                "interrupt": {"type": "boolean", "description": "End its current turn first."},
                "timeout": _TIMEOUT,
            },
            ("session", "text"),
            _send,
        ),
        Tool(
            "wait",
            "Wait until sessions have ended, and return them: `status` and `end_reason` say how, `result_content` is "
            "the result. Reports progress. After `timeout`, `timed_out` is true and the sessions run on.",
            {
                "sessions": _SESSIONS,
                "any": {"type": "boolean", "description": "Return as soon as one of them has."},
                "until": {"type": "string", "enum": _STATUSES, "description": "Wait for this status, or the end."},
                "timeout": _TIMEOUT,
            },
            ("sessions",),
            _wait,
            is_read_only=True,
        ),
        Tool(
            "interrupt",
            "Stop a session and all its processes. Its conversation can be continued.",
            {
                "session": _SESSION,
                "turn": {"type": "boolean", "description": "End only its current turn."},
                "tree": {"type": "boolean", "description": "Stop all that were launched within it, too."},
            },
            ("session",),
            _interrupt,
        ),
        Tool(
            "close",
            "End a session that was launched with `keep_open`, after its turn.",
            {"session": _SESSION},
            ("session",),
            _close,
        ),
        Tool(
            "show",
            "Return a session: status, result, cost, settings, and what it is doing.",
            {"session": _SESSION},
            ("session",),
            _show,
            is_read_only=True,
        ),
        Tool(
            "list",
            "Return sessions, newest first.",
            {
                "statuses": {"type": "array", "items": {"type": "string", "enum": _STATUSES}},
                "directory": {"type": "string", "description": "Only those that work there or below."},
                "name": {"type": "string", "description": "Only those with this name."},
                "group": {"type": "string", "description": "Only those of this group."},
                "words": {"type": "string", "description": "Only those with these words in title or query."},
                "limit": {"type": "integer", "minimum": 1, "default": _MOST_SESSIONS},
            },
            (),
            _list,
            is_read_only=True,
        ),
        Tool(
            "events",
            "Return the conversation of a session: messages, tool calls and results. `has_more` says whether there are "
            "more after the last `sequence`; long texts are cut.",
            {
                "session": _SESSION,
                "after": {"type": "integer", "minimum": 0, "description": "Only events after this `sequence`."},
                "limit": {"type": "integer", "minimum": 1, "default": _MOST_EVENTS},
                "max_characters": {
                    "type": "integer",
                    "minimum": 1,
                    "default": _MOST_CHARACTERS,
                    "description": "The length at which a text is cut.",
                },
            },
            ("session",),
            _events,
            is_read_only=True,
        ),
        Tool(
            "search",
            "Find words in the conversations of all sessions, tool calls and results included; newest first.",
            {
                "words": {"type": "string", "description": 'Words, a "phrase", or the beginning of a word with *.'},
                "session": _SESSION,
                "role": {"type": "string", "enum": ["user", "assistant", "system"]},
                "tool": {"type": "string", "description": "Only calls of this tool and their results."},
                "limit": {"type": "integer", "minimum": 1, "default": _MOST_SESSIONS},
            },
            ("words",),
            _search,
            is_read_only=True,
        ),
        Tool(
            "approvals",
            "Return the permission requests, questions and plans that wait for an answer.",
            {"session": _SESSION, "answered_too": {"type": "boolean", "description": "Answered ones, too."}},
            (),
            _approvals,
            is_read_only=True,
        ),
        Tool(
            "approve",
            "Allow a tool call of a session that asks for permission. Ask your user first.",
            {
                "approval": _APPROVAL,
                "comment": {"type": "string", "description": "A comment for the record."},
                "always": {"type": "boolean", "description": "Allow similar calls for the rest of the session."},
            },
            ("approval",),
            _approve,
        ),
        Tool(
            "deny",
            "Deny a tool call of a session that asks for permission.",
            {"approval": _APPROVAL, "comment": {"type": "string", "description": "What the model gets to read."}},
            ("approval",),
            _deny,
        ),
        Tool(
            "answer",
            "Answer a question of a session by the number or the text of choices, or by free text.",
            {"approval": _APPROVAL, "choices": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
            ("approval", "choices"),
            _answer,
        ),
    )
