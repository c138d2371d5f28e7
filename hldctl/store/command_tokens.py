"""Tokens that identify the commands of the user that hldctl runs for a session; the database holds only their hashes.

Without peewee, as `approvals`.
"""

from __future__ import annotations

import os

import apsw


def issue(connection: apsw.Connection, session_id: str) -> str:
    """Return a new token, valid for as long as the session's row exists."""
    token = os.urandom(32).hex()
    connection.execute("INSERT INTO command_tokens (hash, session_id) VALUES (?, ?)", (_hash(token), session_id))
    return token


def token_session(connection: apsw.Connection, token: str) -> str | None:
    """Return the session whose command got this token, None for a token that was never issued."""
    row = connection.execute("SELECT session_id FROM command_tokens WHERE hash = ?", (_hash(token),)).fetchone()
    return None if row is None else str(row[0])


def _hash(token: str) -> str:
    # Imported here: it loads OpenSSL, and few sessions have such a command.
    import hashlib

    return hashlib.sha256(os.fsencode(token)).hexdigest()
