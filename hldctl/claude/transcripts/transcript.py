"""Claude Code's transcript of a conversation, converted to the lines that its stream would have had (2.1.332).

A transcript also holds what never was part of the conversation: requests, attachments, the state of the screen. Its
messages have the form that they have in the stream. Subagents have transcripts of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hldctl.claude.input_messages import CONTINUE_TEXT
from hldctl.claude.stream import JsonObject, block_text, decode, mapping, parse_timestamp_ms, sequence, text
from hldctl.claude.stream import number as decode_number

# In user lines that the user has not typed: notices, and the output of commands that never reached the model.
_HIDDEN = ("isMeta", "isCompactSummary", "isVisibleInTranscriptOnly")
_OUTPUT = ("<local-command-stdout>", "<local-command-stderr>", "<local-command-caveat>")
_COMMAND = re.compile(r"<command-name>(.*?)</command-name>", re.DOTALL)
_ARGUMENTS = re.compile(r"<command-args>(.*?)</command-args>", re.DOTALL)
_SHELL_TAGS = re.compile(r"</?bash-(?:input|stdout|stderr)>")
_TITLES = {"custom-title": "customTitle", "ai-title": "aiTitle", "summary": "summary"}
_SYNTHETIC = "<synthetic>"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Transcript(NamedTuple):
    """What was said in a conversation, or in a part of it. Times are milliseconds since 1970."""

    conversation_id: str
    working_dir: str | None
    """The directory in which the conversation began."""
    title: str | None
    query: str
    """The first message of the user."""
    began_at: int
    ended_at: int
    lines: list[JsonObject]
    """The lines of the stream, with a `result` as the last one. The first message has no id yet."""
    skipped: int
    """Lines of the file that cannot be read."""

    def journal(self, session_id: str) -> bytes:
        """Return the lines as the journal of a session."""
        first_id = {"uuid": session_id}
        lines = [line | first_id if line.get("isReplay") else line for line in self.lines]
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def read(path: Path, since_ms: int = 0) -> Transcript | None:
    """Return what was said from a time on; None if nothing was said to the model. Raise OSError."""
    converter = _Converter(path, since_ms)
    with open(path, "rb") as file:
        for line in file:
            if (event := decode(line)) is not None:
                converter.add(event)
            elif line.strip():
                converter.skipped += 1
    return converter.finish()


class _Converter:
    """The state of a conversion, from one line of a transcript to the next."""

    def __init__(self, path: Path, since_ms: int) -> None:
        self.skipped = 0
        self._path = path
        self._since_ms = since_ms
        self._conversation_id = path.stem if _UUID.fullmatch(path.stem) else None
        self._working_dir: str | None = None
        self._titles: dict[str, str] = {}
        self._query: str | None = None
        # A command such as /review, which is part of the conversation only if the model answers it.
        self._command: JsonObject | None = None
        self._lines: list[JsonObject] = []
        self._times: list[int] = []
        self._model: str | None = None
        self._answers: dict[str, list[str]] = {}
        self._worked_ms = 0
        self._cost_before: JsonObject = {}
        self._cost: JsonObject | None = None
        self._subagents = _Subagents(path)

    def add(self, event: JsonObject) -> None:
        """Add one line of the transcript."""
        kind = text(event.get("type"))
        if kind in _TITLES:
            self._titles[kind] = text(event.get(_TITLES[kind])) or ""
        elif kind == "cost-state":
            self._add_cost(event)
        self._conversation_id = self._conversation_id or text(event.get("sessionId"))
        time_ms = parse_timestamp_ms(event.get("timestamp"))
        if time_ms is None or kind not in ("user", "assistant", "system", "attachment"):
            return
        self._working_dir = self._working_dir or text(event.get("cwd"))
        self._subagents.note_parent(event)
        if time_ms >= self._since_ms:
            for line in self._converted(event, kind):
                self._append(line, time_ms)

    def _converted(self, event: JsonObject, kind: str) -> Iterator[JsonObject]:
        if kind == "attachment":
            yield from _queued_message(event)
        elif kind == "system":
            self._worked_ms += int(decode_number(event.get("durationMs")) or 0)
            yield from _note(event)
        elif kind == "assistant":
            yield from self._answer(event)
        elif not any(event.get(name) for name in _HIDDEN):
            yield from self._message(event)

    def _message(self, event: JsonObject) -> Iterator[JsonObject]:
        line = _stream_line(event, self._subagents.call_of(event))
        content = _content(event)
        first_text = content if isinstance(content, str) else block_text(sequence(content)[:1])
        if first_text.startswith(_OUTPUT):
            return
        if (command := _COMMAND.search(first_text)) is not None:
            arguments = _ARGUMENTS.search(first_text)
            words = [command[1].strip(), arguments[1].strip() if arguments else ""]
            self._command = {**line, "message": _user_message(" ".join(filter(None, words)))}
            return
        if "<bash-" in first_text:
            line["message"] = _user_message(_SHELL_TAGS.sub("", first_text))
        self._command = None if _is_prompt(line) else self._command
        yield line

    def _answer(self, event: JsonObject) -> Iterator[JsonObject]:
        message = mapping(event.get("message"))
        is_error = event.get("isApiErrorMessage") is True
        if message.get("model") == _SYNTHETIC and not is_error:
            # Claude Code itself says that it has no response, as after an interrupted turn.
            return
        if self._command is not None:
            yield self._command
            self._command = None
        call_id = self._subagents.call_of(event)
        if call_id is None and not is_error:
            self._model = text(message.get("model")) or self._model
            texts = self._answers.setdefault(text(message.get("id")) or "", [])
            texts += [str(block["text"]) for block in map(mapping, sequence(_content(event))) if "text" in block]
        yield _stream_line(event, call_id)
        for block in map(mapping, sequence(_content(event))):
            if block.get("type") == "tool_use":
                yield from self._subagents.lines(text(block.get("id")) or "")

    def _append(self, line: JsonObject, time_ms: int) -> None:
        self._times.append(time_ms)
        if self._query is None and _is_prompt(line):
            self._query = block_text(_content(line))
            # As Claude Code repeats the first message, which is recorded when the session is created.
            line = {**line, "isReplay": True}
        self._lines.append(line)

    def _add_cost(self, event: JsonObject) -> None:
        if self._times:
            self._cost = event
        else:
            self._cost_before = event

    def finish(self) -> Transcript | None:
        """Return the converted conversation; None if it has no message for the model."""
        is_about_something = self._query is not None or bool(self._answers)
        if not is_about_something or self._conversation_id is None:
            return None
        if self._query is None:
            # After an interruption Claude Code continues by itself.
            query = _user_message(CONTINUE_TEXT)
            self._lines.insert(0, {"type": "user", "message": query, "parent_tool_use_id": None, "isReplay": True})
        titles = (self._titles.get(name) for name in _TITLES)
        return Transcript(
            self._conversation_id,
            self._working_dir,
            next(filter(None, titles), None),
            CONTINUE_TEXT if self._query is None else self._query,
            min(self._times),
            max(self._times),
            [self._first_line(), *self._lines, self._result()],
            self.skipped,
        )

    def _first_line(self) -> JsonObject:
        return self._system_line("init", cwd=self._working_dir, model=self._model)

    def _system_line(self, subtype: str, **more: Any) -> JsonObject:
        return {"type": "system", "subtype": subtype, "session_id": self._conversation_id, **more}

    def _result(self) -> JsonObject:
        """Return a `result` line with the sums of this part of the conversation."""
        result = {
            "type": "result",
            "subtype": "success",
            "is_error": False,
            "session_id": self._conversation_id,
            "num_turns": len(self._answers),
            "duration_ms": self._worked_ms,
            "result": "\n".join(next((texts for texts in reversed(self._answers.values()) if texts), [])),
        }
        if self._cost is None:
            # Claude Code was killed, or is older than these lines: the cost is unknown.
            return result
        models, before = mapping(self._cost.get("modelUsage")), mapping(self._cost_before.get("modelUsage"))
        since = {model: _difference(mapping(spent), mapping(before.get(model))) for model, spent in models.items()}
        return result | {
            "total_cost_usd": self._cost.get("totalCostUSD"),
            "modelUsage": models,
            "model_usage_since_last_result": since,
        }


class _Subagents:
    """The subagents of a conversation, each by the id of the tool call that started it."""

    def __init__(self, path: Path) -> None:
        self._files: dict[str, list[Path]] = {}
        for description in sorted((path.with_suffix("") / "subagents").glob("*.meta.json")):
            call_id = _read_call_id(description)
            if call_id is not None:
                self._files.setdefault(call_id, []).append(description.with_name(f"{description.name[:-10]}.jsonl"))
        # For older transcripts, which contain the lines of subagents: the call of each line, and those of each prompt.
        self._call_by_line: dict[str, str] = {}
        self._call_by_prompt: dict[str, str] = {}

    def note_parent(self, event: JsonObject) -> None:
        """Remember to which call a line of a subagent belongs, from its parent or its prompt."""
        for block in map(mapping, sequence(_content(event))):
            prompt = text(mapping(block.get("input")).get("prompt"))
            if block.get("type") == "tool_use" and prompt is not None:
                self._call_by_prompt[prompt] = text(block.get("id")) or ""
        if event.get("isSidechain"):
            prompt = block_text(_content(event))
            call_id = self._call_by_line.get(text(event.get("parentUuid")) or "") or self._call_by_prompt.get(prompt)
            if call_id is not None:
                self._call_by_line[text(event.get("uuid")) or ""] = call_id

    def call_of(self, event: JsonObject) -> str | None:
        """Return the call that started the subagent of a line; None for the main conversation."""
        return self._call_by_line.get(text(event.get("uuid")) or "", "unknown") if event.get("isSidechain") else None

    def lines(self, call_id: str) -> Iterator[JsonObject]:
        """Yield the lines of the subagents that a call started, and of those that they started."""
        for file in self._files.pop(call_id, ()):
            try:
                events = [decode(line) for line in file.read_bytes().split(b"\n")]
            except OSError:
                continue
            for event in filter(None, events):
                if event.get("type") not in ("user", "assistant") or event.get("isMeta"):
                    continue
                yield _stream_line(event, call_id)
                for block in map(mapping, sequence(_content(event))):
                    if block.get("type") == "tool_use":
                        yield from self.lines(text(block.get("id")) or "")


def _read_call_id(description: Path) -> str | None:
    try:
        event = decode(description.read_bytes())
    except OSError:
        return None
    return None if event is None else text(event.get("toolUseId"))


def _stream_line(event: JsonObject, call_id: str | None) -> JsonObject:
    """Return the line of the stream for a message in a transcript."""
    line = {
        "type": event.get("type"),
        "message": event.get("message"),
        "parent_tool_use_id": call_id,
        "session_id": event.get("sessionId"),
        "uuid": event.get("uuid"),
        "timestamp": event.get("timestamp"),
    }
    if "toolUseResult" in event:
        line["tool_use_result"] = event["toolUseResult"]
    if event.get("isApiErrorMessage"):
        line["is_api_error_message"] = True
    return line


def _content(line: JsonObject) -> Any:
    return mapping(line.get("message")).get("content")


def _user_message(content: Any) -> JsonObject:
    return {"role": "user", "content": content}


def _is_prompt(line: JsonObject) -> bool:
    """Return whether a line is a message of the user to the main conversation, and not a tool's result."""
    if line["type"] != "user" or line["parent_tool_use_id"] is not None:
        return False
    content = _content(line)
    words = block_text(content)
    is_note = not words.strip() or words.startswith("[Request interrupted by user")
    return not is_note and not any(mapping(block).get("type") == "tool_result" for block in sequence(content))


def _queued_message(event: JsonObject) -> Iterator[JsonObject]:
    """Yield the line of a message that the user typed while the model worked."""
    attachment = mapping(event.get("attachment"))
    if attachment.get("type") == "queued_command" and attachment.get("commandMode") == "prompt":
        line = _stream_line(event, None)
        yield {**line, "type": "user", "message": _user_message(attachment.get("prompt"))}


def _note(event: JsonObject) -> Iterator[JsonObject]:
    """Yield the line of a note that hldctl shows in conversations."""
    line = {name: event.get(name) for name in ("type", "subtype", "content", "timestamp", "uuid")}
    line |= {"session_id": event.get("sessionId"), "parent_tool_use_id": None}
    match event.get("subtype"):
        case "compact_boundary":
            tokens = mapping(event.get("compactMetadata")).get("preTokens")
            yield {**line, "compact_metadata": {"pre_tokens": tokens}}
        case "informational":
            yield line
        case "api_error":
            yield {
                **line,
                "subtype": "api_retry",
                "attempt": event.get("retryAttempt"),
                "max_retries": event.get("maxRetries"),
                "retry_delay_ms": event.get("retryInMs"),
                "error_status": mapping(event.get("error")).get("status"),
            }


def _difference(later: JsonObject, earlier: JsonObject) -> JsonObject:
    """Return how much more of each number there is."""
    return {
        name: count - (decode_number(earlier.get(name)) or 0)
        for name, value in later.items()
        if (count := decode_number(value)) is not None
    }
