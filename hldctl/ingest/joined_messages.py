"""The texts of messages that Claude Code joined: several that wait at the end of a turn begin the next one together.

It repeats all of them alone except the last, which it repeats after the `init` line, below the texts of the others
(2.1.332).
"""

from __future__ import annotations

# Not zlib, which the supervisor would load for this.
from binascii import crc32

from hldctl.ingest.state import ReducerState


def own_text(state: ReducerState, repeated: str) -> str:
    """Return the text of a message, without those of the others that Claude Code has joined with it."""
    if not state.is_turn_begun:
        line = f"{repeated}\n"
        state.waiting_length += len(line)
        state.waiting_checksum = crc32(_encode(line), state.waiting_checksum)
        return repeated
    others = repeated[: state.waiting_length]
    is_joined = crc32(_encode(others)) == state.waiting_checksum and len(others) < len(repeated)
    length = state.waiting_length if is_joined else 0
    _forget(state)
    return repeated[length:]


def begin_turn(state: ReducerState) -> None:
    """Expect the last of the messages that begin the turn."""
    state.is_turn_begun = True


def end_turn(state: ReducerState) -> None:
    """Collect the messages that begin the next turn."""
    state.is_turn_begun = False
    _forget(state)


def _forget(state: ReducerState) -> None:
    state.waiting_length = state.waiting_checksum = 0


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
