from __future__ import annotations

from typing import Any

import pytest

from hldctl.claude.events import tool_result_text

HUNK = {"oldStart": 1, "oldLines": 2, "newStart": 1, "newLines": 2, "lines": ["-a", "+c", " b"]}


@pytest.mark.parametrize(
    ("text", "structured", "recorded"),
    [
        ("out", {"stdout": "out", "stderr": ""}, "out"),
        ("updated", {"structuredPatch": [HUNK]}, "updated\n@@ -1,2 +1,2 @@\n-a\n+c\n b"),
        ("created", {"structuredPatch": []}, "created"),
        ("<persisted-output>\nOutput too large", {"stdout": "all", "stderr": "of it"}, "all\nof it"),
        (
            "<persisted-output>\nOutput too large",
            {"stdout": "some", "persistedOutputPath": "/all", "persistedOutputSize": 99},
            "some\n[cut short: 99 bytes in all, in /all]",
        ),
        ("<persisted-output>\nOutput too large", {}, "<persisted-output>\nOutput too large"),
        ("", {"stdout": "", "stderr": "only this"}, "only this"),
        (
            [{"type": "image", "source": {"media_type": "image/png", "data": "AAAA"}}],
            {"type": "image", "file": {"type": "image/png", "dimensions": {"originalWidth": 8, "originalHeight": 4}}},
            "[image image/png 8x4]",
        ),
        ([{"type": "image", "source": {"media_type": "image/png"}}], {}, "[image image/png]"),
        ([{"type": "tool_reference", "tool_name": "Grep"}], {}, "[tool_reference Grep]"),
        ("x", {"structuredPatch": [7, {"lines": "no"}]}, "x\n@@ -None,None +None,None @@\n@@ -None,None +None,None @@"),
    ],
)
def test_structured_data_is_used_if_it_has_more_details(text: Any, structured: dict[str, Any], recorded: str) -> None:
    assert tool_result_text({"type": "tool_result", "content": text}, structured) == recorded
