"""The fields that single commands add to the JSON of a session."""

from __future__ import annotations

from typing import TypedDict

from hldctl.contract.activity import ActivityObject
from hldctl.contract.approval import ApprovalObject
from hldctl.contract.event import EventObject
from hldctl.contract.message import MessageObject
from hldctl.contract.session_values import PredecessorRefObject
from hldctl.contract.timestamp import Timestamp
from hldctl.states import RestartKind, Status


class PredecessorObject(PredecessorRefObject):
    """A session that another one starts after, as it is now."""

    name: str | None
    """The session's name; null without one, or if the session was deleted."""
    status: Status | None
    """The session's status; null if it was deleted."""


class OpenedObject(TypedDict):
    """An `hldctl open` that has a session open in a terminal."""

    pid: int
    """The process id of `hldctl open`."""
    since: Timestamp
    """When the session was opened."""


class MachineRefObject(TypedDict):
    """The machine of a session of a fleet."""

    id: str
    """The machine's id, a UUID."""
    name: str
    """The machine's name."""
    owner: str | None
    """The user that its sessions belong to; null if the record does not say."""
    unheard_since: Timestamp | None
    """When a machine that should be heard was last heard; null if it is heard, or rests."""


class PlaceObject(TypedDict):
    """Where an engine has a session that was launched with `--on`."""

    engine: str
    """The engine, such as `slurm`."""
    job: str | None
    """The engine's id of the job; null until the engine has accepted it."""
    cluster: str | None
    """The cluster's name; null if the engine has none."""
    user: str | None
    """The user whose job it is; null until the engine has accepted it."""
    state: str | None
    """The engine's own word for the job's state; null if the engine was not asked or does not know the job."""
    reason: str | None
    """Why the job waits or has ended, in the engine's words; null if the engine gives no reason."""
    node: str | None
    """The node that the job runs on; null if it does not run."""


class ListedFields(TypedDict):
    """The fields that a session has in `ls` and `show`, too."""

    activity: ActivityObject | None
    """What the session is doing; null if it has ended."""
    open_in_terminal: OpenedObject | None
    """The `hldctl open` that has it open; null if it is not open."""
    machine: MachineRefObject | None
    """The machine of the fleet that has it; null for a session of this machine."""
    place: PlaceObject | None
    """Where an engine has it; null if it was not launched with `--on`."""


class McpServerObject(TypedDict):
    """An MCP server of a session, without its secrets."""

    name: str
    """The server's name in the configuration."""
    transport: str | None
    """How Claude Code talks to it: `stdio`, `http`, `sse` or `ws`; null for a server of Claude Code's own settings."""
    command: str | None
    """The program of a stdio server, without arguments; null for any other."""
    url: str | None
    """The address of a remote server, without user and query; null for any other."""
    env_names: list[str] | None
    """The names of its variables; null if it is not a stdio server."""
    header_names: list[str] | None
    """The names of its headers; null if it is not a remote server."""
    status: str | None
    """The status in Claude Code's first message, such as `connected` or `failed`; null before that message."""


class ProcessObject(TypedDict):
    """A process that Claude Code left running."""

    pid: int
    """The process id."""
    command: str
    """The command line; empty if it cannot be read."""


class RuleObject(TypedDict):
    """A rule that `approve --always` made."""

    id: str
    """The id for `set --forget-rule`."""
    tool_name: str
    """The tool that it allows."""
    kind: str
    """How `content` is compared with a call."""
    content: str
    """What a call's input is compared with; empty if the rule allows all calls of its kind."""
    words: str
    """The rule as a phrase in English."""


class RelatedFields(TypedDict):
    """The fields about a session's relations and its Claude Code."""

    children: list[str]
    """The ids of the sessions that continue it, oldest first."""
    predecessors: list[PredecessorObject]
    """The sessions that it starts after."""
    sent_query: str | None
    """What was sent in place of the query, with references replaced; null if the query was sent as it is."""
    mcp_servers: list[McpServerObject]
    """Its MCP servers, by name."""


class ShownFields(RelatedFields, ListedFields):
    """The fields that a session has in `show`, too."""

    launched: list[str]
    """The ids of the sessions that it launched with its own commands, oldest first."""
    left_running: list[ProcessObject]
    """The processes that Claude Code left running when it exited, and that still run."""
    rules: list[RuleObject]
    """The rules that allow tool calls for the rest of the session."""
    undelivered_messages: list[MessageObject]
    """The messages that are not part of the conversation yet."""


class RestartObject(TypedDict):
    """One more start of Claude Code within a session."""

    kind: RestartKind
    """Why Claude Code was started once more."""
    at: Timestamp
    """When it was decided."""
    due: Timestamp
    """When Claude Code starts again, or started."""
    reason: str
    """The error that ended the previous run."""
    note: str
    """The note in the conversation."""


class SpendingObject(TypedDict):
    """Tokens and their cost."""

    input_tokens: int
    """Tokens that the model read, without those of the cache."""
    output_tokens: int
    """Tokens that the model wrote."""
    cache_creation_input_tokens: int
    """Tokens that were written to the cache."""
    cache_read_input_tokens: int
    """Tokens that were read from the cache."""
    cost_usd: float | None
    """The cost in US dollars; null if it is unknown."""


class ModelSpendingObject(SpendingObject):
    """What one model has used."""

    model_id: str
    """The model's full id."""


class CostsObject(TypedDict):
    """What a session has used."""

    models: list[ModelSpendingObject]
    """By model."""
    runs: list[SpendingObject | None]
    """By start of Claude Code; null for one that has not reported anything."""


class ExportedFields(RelatedFields):
    """The fields that a session has in an export, too."""

    restarts: list[RestartObject]
    """Each restart of Claude Code, oldest first."""
    costs: CostsObject
    """Tokens and cost, by model and by start of Claude Code."""
    approvals: list[ApprovalObject]
    """Its permission requests, oldest first."""
    events: list[EventObject]
    """Its conversation."""
