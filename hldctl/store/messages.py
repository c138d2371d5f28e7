"""Queries on the messages to sessions: text that a user sends to a running Claude Code.

The query is a session's first message; its id is the session's. Its text is in the row of the session; if references
were replaced in it, the text that is sent is here. Requests to Claude Code itself, such as for another model, are rows
as well: they are written in the same order, and confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hldctl.states import InputKind, MessageStatus
from hldctl.store.connection import execute, insert, transaction

APPLY_PROGRESS = """
UPDATE messages SET acknowledged_at = coalesce(acknowledged_at, :at),
    status = iif(:sequence IS NOT NULL OR kind <> 'message', 'delivered', status),
    delivered_at = iif(:sequence IS NOT NULL OR kind <> 'message', coalesce(delivered_at, :at), delivered_at),
    sequence = coalesce(sequence, :sequence),
    answered_at = iif(:is_answered OR kind <> 'message', coalesce(answered_at, :at), answered_at),
    answer = iif(answered_at IS NULL, :answer, answer)
WHERE session_id = :session_id AND iif(:is_answered, delivered_at IS NOT NULL AND answered_at IS NULL, id = :id)
"""
_UNDELIVERED = "status IN ('pending', 'sent')"


class Message(NamedTuple):
    """A row of the table, with the text of the query if it is the query. Times are milliseconds since 1970."""

    id: str
    session_id: str
    kind: str
    """An InputKind."""
    text: str
    status: str
    created_at: int
    acknowledged_at: int | None
    """When Claude Code confirmed that it has the message."""
    delivered_at: int | None
    """When the message became part of the conversation."""
    sequence: int | None
    """The number of its event in the conversation, once delivered."""
    answered_at: int | None
    """When the turn ended in which the model got it."""
    answer: str | None
    """The result of that turn."""


class Progress(NamedTuple):
    """What Claude Code reported about a message at a time in milliseconds since 1970: that it has it, at least."""

    id: str
    at: int
    sequence: int | None = None
    """Its event, if it is part of the conversation now."""
    is_answered: bool = False
    """True if a turn has ended: all messages that were delivered have been answered. `id` is empty then."""
    answer: str | None = None


COUNT_PENDING = f"""
UPDATE sessions SET pending_messages = (SELECT count(*) FROM messages WHERE session_id = sessions.id AND {_UNDELIVERED})
WHERE id = ?
"""
"""Needed in each transaction that changes whether messages are delivered."""

PUBLISH = """
INSERT INTO feed (type, session_id, run_id, timestamp, data)
SELECT 'message_changed', session_id, run_id, ?,
    json_object('id', messages.id, 'status', messages.status, 'sequence', sequence)
FROM messages JOIN sessions ON sessions.id = session_id
WHERE messages.id = ? AND kind = 'message' AND messages.id <> session_id
"""
"""Publish the state of a message, other than the query, at a time."""

_SELECT = """
SELECT messages.id, session_id, kind, coalesce(text, query), messages.status, messages.created_at, acknowledged_at,
    delivered_at, sequence, answered_at, answer
FROM messages JOIN sessions ON sessions.id = session_id
"""


def add_query(session_id: str, now: int) -> None:
    """Add the query of a new session as its first message. Needs a transaction."""
    insert(
        "messages",
        {"id": session_id, "session_id": session_id, "status": str(MessageStatus.PENDING), "created_at": now},
    )
    execute(COUNT_PENDING, (session_id,))


def replaced_query(session_id: str) -> str | None:
    """Return the text that is sent in place of the query; None if it is sent as it is."""
    row = execute("SELECT text FROM messages WHERE id = ?", (session_id,)).fetchone()
    return None if row is None else row[0]


def replace_query(session_id: str, text: str) -> None:
    """Record the text that is sent in place of the query, unless one is recorded: it may have been sent."""
    with transaction():
        execute("UPDATE messages SET text = ? WHERE id = ? AND text IS NULL", (text, session_id))


def add(message_id: str, session_id: str, kind: InputKind, text: str, now: int) -> bool:
    """Add a message; return False if the session has ended or is about to end. Needs a transaction."""
    added = execute(
        "INSERT INTO messages (id, session_id, kind, text, status, created_at) SELECT ?, id, ?, ?, ?, ? FROM sessions"
        " WHERE id = ? AND completed_at IS NULL AND is_closing = 0 AND interrupt_requested_at IS NULL RETURNING 1",
        (message_id, str(kind), text, str(MessageStatus.PENDING), now, session_id),
    )
    is_added = bool(added.fetchall())
    execute(COUNT_PENDING, (session_id,))
    execute(PUBLISH, (now, message_id))
    return is_added


def add_check_output(message_id: str, session_id: str, text: str, now: int) -> None:
    """Add the output of a check as a message, also to a session that is about to end. Needs a transaction."""
    execute(
        "INSERT OR IGNORE INTO messages (id, session_id, kind, text, status, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        (message_id, session_id, str(InputKind.MESSAGE), text, str(MessageStatus.PENDING), now),
    )
    execute(COUNT_PENDING, (session_id,))
    execute(PUBLISH, (now, message_id))


def reopen_for_check(session_id: str) -> None:
    """Accept messages while a check runs, except to a session that the user closed. Needs a transaction.

    A request to end the turn is cancelled: the turn has ended.
    """
    execute("UPDATE sessions SET is_closing = 0 WHERE id = ? AND keep_open = 0", (session_id,))
    execute(
        f"UPDATE messages SET status = 'cancelled' WHERE session_id = ? AND kind = 'interrupt' AND {_UNDELIVERED}",
        (session_id,),
    )
    execute(COUNT_PENDING, (session_id,))


def begin_closing_after_check(session_id: str) -> bool:
    """Record that the session accepts no further message; return False if a message waits. Needs a transaction."""
    closing = execute(
        "UPDATE sessions SET is_closing = 1 WHERE id = ? AND NOT EXISTS (SELECT 1 FROM messages"
        f" WHERE session_id = sessions.id AND kind = 'message' AND {_UNDELIVERED}) RETURNING 1",
        (session_id,),
    )
    return bool(closing.fetchall())


def get(message_id: str) -> Message | None:
    """Return the message; None if it does not exist."""
    row = execute(f"{_SELECT} WHERE messages.id = ?", (message_id,)).fetchone()
    return None if row is None else Message._make(row)


def list_messages(session_id: str) -> list[Message]:
    """Return all messages of a session, oldest first."""
    return [
        Message._make(row) for row in execute(f"{_SELECT} WHERE session_id = ? ORDER BY messages.rowid", (session_id,))
    ]


def list_undelivered(session_id: str) -> list[Message]:
    """Return the messages, other than the query, that are not part of the conversation, oldest first."""
    query = (
        f"{_SELECT} WHERE session_id = ? AND kind = 'message' AND delivered_at IS NULL AND messages.id <> session_id"
    )
    return [Message._make(row) for row in execute(f"{query} ORDER BY messages.rowid", (session_id,))]


def next_pending(session_id: str) -> Message | None:
    """Return what to write next, an interrupt first and then the oldest message; None if there is nothing."""
    row = execute(
        f"{_SELECT} WHERE session_id = ? AND messages.status = 'pending'"
        " ORDER BY kind <> 'interrupt', messages.rowid LIMIT 1",
        (session_id,),
    ).fetchone()
    return None if row is None else Message._make(row)


def next_message(session_id: str, preferred_id: str) -> Message | None:
    """Return the pending message with this id, or the oldest one; None if there is none."""
    row = execute(
        f"{_SELECT} WHERE session_id = ? AND messages.status = 'pending' AND kind = 'message'"
        " ORDER BY messages.id <> ?, messages.rowid LIMIT 1",
        (session_id, preferred_id),
    ).fetchone()
    return None if row is None else Message._make(row)


def mark_sent(message_id: str) -> None:
    """Record that a message is about to be written."""
    with transaction():
        execute("UPDATE messages SET status = 'sent' WHERE id = ? AND status = 'pending'", (message_id,))


def requeue_unacknowledged(session_id: str) -> None:
    """Make the messages pending that an earlier supervisor may have written: Claude Code ignores a repetition."""
    with transaction():
        execute(
            "UPDATE messages SET status = 'pending'"
            " WHERE session_id = ? AND status = 'sent' AND acknowledged_at IS NULL",
            (session_id,),
        )


def requeue_undelivered(session_id: str) -> None:
    """Make all messages pending that are not part of the conversation, for a new Claude Code. Needs a transaction."""
    execute(
        f"UPDATE messages SET status = 'pending', acknowledged_at = NULL WHERE session_id = ? AND {_UNDELIVERED}",
        (session_id,),
    )


def list_unanswered(session_id: str) -> list[Message]:
    """Return the messages, other than the query, in whose turn Claude Code was killed, or before it, oldest first."""
    query = f"{_SELECT} WHERE session_id = ? AND kind = 'message' AND answered_at IS NULL AND messages.id <> session_id"
    return [Message._make(row) for row in execute(f"{query} ORDER BY messages.rowid", (session_id,))]


def settle_unanswered(session_id: str, is_contained: Mapping[str, bool], now: int) -> None:
    """Mark each message as delivered if it is contained in the conversation of which Claude Code continues, or pending.

    `is_contained` has the ids of the messages.
    """
    with transaction():
        for message_id, is_delivered in is_contained.items():
            if is_delivered:
                execute(
                    "UPDATE messages SET status = 'delivered', delivered_at = coalesce(delivered_at, ?),"
                    " acknowledged_at = coalesce(acknowledged_at, ?) WHERE id = ?",
                    (now, now, message_id),
                )
            else:
                execute(
                    "UPDATE messages SET status = 'pending', acknowledged_at = NULL, delivered_at = NULL,"
                    " sequence = NULL WHERE id = ?",
                    (message_id,),
                )
        execute(COUNT_PENDING, (session_id,))


def cancel_undelivered(session_id: str, now: int) -> None:
    """Cancel the messages that are not part of the conversation: the session ends. Needs a transaction."""
    cancelled = execute(
        f"UPDATE messages SET status = 'cancelled' WHERE session_id = ? AND {_UNDELIVERED} RETURNING id", (session_id,)
    )
    for (message_id,) in cancelled.fetchall():
        execute(PUBLISH, (now, message_id))
    execute(
        "UPDATE sessions SET pending_messages = (SELECT count(*) FROM messages WHERE session_id = sessions.id"
        " AND status = 'cancelled' AND kind = 'message' AND id <> session_id) WHERE id = ?",
        (session_id,),
    )


def begin_closing(session_id: str) -> bool:
    """Record that the session accepts no further message.

    Return False if one waits or is not delivered yet, and if the session is kept open and was not closed.
    """
    with transaction():
        closing = execute(
            "UPDATE sessions SET is_closing = 1"
            " WHERE id = ? AND pending_messages = 0 AND (keep_open = 0 OR is_closing = 1) RETURNING 1",
            (session_id,),
        )
        return bool(closing.fetchall())


def close(session_id: str, now: int) -> bool:
    """Record that a session that is kept open has to end after its turn; return False if it is not kept open."""
    with transaction():
        closing = execute(
            "UPDATE sessions SET is_closing = 1, last_activity_at = max(last_activity_at, ?)"
            " WHERE id = ? AND keep_open = 1 AND completed_at IS NULL RETURNING 1",
            (now, session_id),
        )
        return bool(closing.fetchall())
