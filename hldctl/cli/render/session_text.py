"""Settings, denied calls and useful next commands of a session, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hldctl.cli.output import one_line, truncate
from hldctl.cli.render.format import clock
from hldctl.sessions.inspect.details import CommandFailure
from hldctl.states import ApprovalKind, Condition, Status
from hldctl.store.admission.predecessors import PredecessorState
from hldctl.store.approvals import Approval
from hldctl.store.session import Session

_MAX_LENGTH = 60


def settings(session: Session) -> list[str]:
    """Return the settings that differ from the defaults."""
    texts = [*_limits(session), *_unattended(session), *_permissions(session), *_prompts_and_arguments(session)]
    return [one_line(setting) for setting in texts]


def predecessor_text(predecessor: PredecessorState, session_id: str) -> str:
    """Return the id, the name and the status of a predecessor; `session_id` is its id, or the beginning of it."""
    name = "" if predecessor.name is None else f" ({predecessor.name})"
    condition = "" if predecessor.condition is Condition.COMPLETED else ", however it ends"
    return one_line(f"{session_id}{name}, {predecessor.status or 'deleted'}{condition}")


def worktree_branch(session: Session) -> str:
    """Return the branch of the session's worktree, without the prefix that all of them have; empty without one."""
    return "" if session.worktree is None else one_line(session.worktree["branch"].removeprefix("hldctl/"))


def worktree_numbers(session: Session) -> str:
    """Return how the session's worktree differs from its base; empty if unknown."""
    worktree = session.worktree or {}
    if worktree.get("ahead") is None:
        return ""
    ahead = f"↑{worktree['ahead']} " if worktree["ahead"] else ""
    changes = f"~{worktree['files']} +{worktree['insertions']} -{worktree['deletions']}"
    return f"{ahead}{changes}{'*' if worktree['dirty'] else ''}"


def worktree_text(session: Session) -> str:
    """Return the worktree of a session in words."""
    worktree = session.worktree
    if worktree is None:
        return ""
    parts = [f"{worktree['branch']} from {worktree['base']}"]
    if worktree.get("ahead") is not None:
        files = worktree["files"]
        parts += [f"{worktree['ahead']} commit{'' if worktree['ahead'] == 1 else 's'}"]
        parts += [
            f"{files} file{'' if files == 1 else 's'} changed, +{worktree['insertions']} -{worktree['deletions']}",
            *(["uncommitted changes"] if worktree["dirty"] else []),
        ]
    if worktree.get("landed"):
        parts.append(f"landed in {worktree['landed']['branch']}")
    if worktree.get("kept"):
        parts.append(f"kept in {worktree['kept']}")
    return one_line(", ".join(parts))


def undelivered_name(session: Session) -> str:
    """Return what a message is called that the session has not got."""
    return "pending message" if session.completed_at is None else "undelivered message"


def _limits(session: Session) -> list[str]:
    return [
        *([f"at most {session.max_turns} turns"] if session.max_turns is not None else []),
        *([f"at most ${session.max_budget_usd:.2f}"] if session.max_budget_usd is not None else []),
        *([f"timeout {clock(session.timeout_ms / 1000)}"] if session.timeout_ms is not None else []),
        *([f"stall {clock(session.stall_ms / 1000)}"] if session.stall_ms is not None else []),
        *([f"idle timeout {clock(session.idle_timeout_ms / 1000)}"] if session.idle_timeout_ms is not None else []),
    ]


def _unattended(session: Session) -> list[str]:
    return [
        *([f"profile {session.profile}"] if session.profile is not None else []),
        *([f"group {session.group_name}"] if session.group_name is not None else []),
        *([f"retries {session.retries}"] if session.retries else []),
        *(["waits for usage limits to reset"] if session.wait_for_reset else []),
        *(["fails on denial"] if session.fail_on_denial else []),
        *([f"check: {truncate(session.check_command, _MAX_LENGTH)}"] if session.check_command else []),
        *([f"on end: {truncate(session.on_end, _MAX_LENGTH)}"] if session.on_end else []),
        *(["private: not in the fleet's record"] if session.private else []),
        *(["rehearsed"] if session.rehearsed else []),
        *(["archived"] if session.archived else []),
    ]


def _permissions(session: Session) -> list[str]:
    return [
        *(["asks for permission"] if session.approvals else []),
        *(["accepts edits"] if session.auto_accept_edits else []),
        *(["skips permissions"] if session.dangerously_skip_permissions else []),
        *(["may answer its own requests"] if session.from_session else []),
        *([f"permission mode {session.permission_mode}"] if session.permission_mode else []),
        *([f"permission tool {session.permission_prompt_tool}"] if session.permission_prompt_tool else []),
        *([f"tools: {', '.join(session.tools) or 'none'}"] if session.tools is not None else []),
        *([f"allowed: {', '.join(session.allowed_tools)}"] if session.allowed_tools else []),
        *([f"disallowed: {', '.join(session.disallowed_tools)}"] if session.disallowed_tools else []),
        *([f"also in {', '.join(session.additional_directories)}"] if session.additional_directories else []),
    ]


def _prompts_and_arguments(session: Session) -> list[str]:
    prompts = {
        "system prompt replaced": session.system_prompt,
        "system prompt extended": session.append_system_prompt,
        "custom instructions": session.custom_instructions,
    }
    values = {
        "effort": session.effort,
        "agent": session.agent,
        "agents:": ", ".join(session.agent_names),
        "fallback model": session.fallback_model,
    }
    extra = " ".join(session.extra_arguments)
    return [
        *(name for name, prompt in prompts.items() if prompt),
        *(["JSON Schema"] if session.json_schema is not None else []),
        *(f"{name} {truncate(value, _MAX_LENGTH)}" for name, value in values.items() if value),
        *([f"-- {truncate(extra, _MAX_LENGTH)}"] if extra else []),
    ]


def denied_tools(denials: Sequence[Mapping[str, Any]]) -> str:
    """Return each tool with the number of its denied calls; their input is in the conversation."""
    counts = Counter(str(denial.get("tool_name")) for denial in denials)
    return one_line(", ".join(f"{tool} ×{count}" for tool, count in counts.items()))


def failed_command(failure: CommandFailure) -> str:
    """Return that a command of the user has failed, and where its output is."""
    return one_line(f"failed with exit code {failure.exit_code}; its output is in the session's supervisor.log")


def next_commands(session: Session, waiting: Sequence[Approval]) -> list[tuple[str, str]]:
    """Return commands that make sense in the session's state, each with its effect."""
    short = session.id[:8]
    follow = (f"hldctl tail -f {short}", "follow it")
    stop = (f"hldctl interrupt {short}", "stop it")
    continue_ = [(f'hldctl continue {short} "…"', "continue it")] if session.claude_session_id else []
    match Status(session.status):
        case Status.WAITING_INPUT if waiting:
            request_id = waiting[0].id[:8]
            is_question = waiting[0].kind is ApprovalKind.QUESTION
            return [
                (f"hldctl answer {request_id}", "answer it")
                if is_question
                else (f"hldctl approve {request_id}", "allow it"),
                (f'hldctl deny {request_id} --message "…"', "deny it, and say why"),
                follow,
            ]
        case Status.QUEUED:
            return [("hldctl ls --status running", "list running sessions"), stop]
        case Status.INTERRUPTING:
            return [
                (f"hldctl wait {short}", "wait until it ends"),
                (f"hldctl interrupt {short} --timeout 0", "kill it now"),
            ]
        case Status.COMPLETED:
            return [*continue_, (f"hldctl export {short} -o {short}.md", "export it as a document")]
        case Status.FAILED | Status.INTERRUPTED:
            return [(f"hldctl tail {short}", "see what happened"), *continue_]
    return [follow, stop]


def check_text(check: Mapping[str, Any]) -> str:
    """Return how far the check of a session has got; `check` is the JSON object."""
    tries = f"{check['tries']} of {check['max_tries']} tries"
    if check["tries"] and check["passed"] is not None:
        return "passed" if check["passed"] else f"failed after {tries}"
    return f"not passed yet, after {tries}" if check["tries"] else "not run yet"
