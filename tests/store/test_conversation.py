from __future__ import annotations

import json
from pathlib import Path

import pytest

from hldctl.host.paths import StateDirectory
from hldctl.states import EventType
from hldctl.store import conversation
from hldctl.store.connection import execute
from hldctl.store.conversation import COLUMNS, Step
from hldctl.store.database import opened
from tests.filling import fill

ODD = 'toolu_"1"\\\n\x00\x1f\u2028\U0001f600'


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"role": "assistant", "tool_id": ODD, "tool_name": ODD, "parent_tool_use_id": ODD},
        {"role": "", "tool_result_for_id": "toolu_1", "tool_result_content": "made"},
    ],
)
def test_the_feed_tells_of_an_event_what_is_known_but_its_text(tmp_path: Path, known: dict[str, str]) -> None:
    (session_id,) = fill(tmp_path, 1, 1)
    told = {"sequence": 7, "event_type": str(EventType.TOOL_CALL), **known}
    rest = {"session_id": session_id, "is_error": False, "is_completed": False, "created_at": 5}
    row = tuple((told | rest).get(name) for name in COLUMNS)
    with opened(StateDirectory(tmp_path)):
        conversation.record(session_id, "run", Step([row], [], [], [], {"journal_offset": 0}), 9)
        written = execute("SELECT timestamp, data FROM feed ORDER BY id DESC LIMIT 1").fetchone()
    told.pop("tool_result_content", None)
    assert (written[0], json.loads(written[1])) == (9, told)
