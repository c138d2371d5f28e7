from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hldctl.claude.read_tool import ReadCall, file_excerpt, parse_read_call
from hldctl.ingest.file_snapshots import FileSnapshots
from hldctl.ingest.reducer import Snapshot
from hldctl.paths import SessionFiles
from hldctl.store.session import Session
from tests.helpers.sandbox import Json, Sandbox

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc000000301010018dd8db00000000049454e44ae426082"
)


@pytest.mark.parametrize(
    ("result", "content"),
    [
        ("1\ta\n2\tb\n3\t", "a\nb\n"),
        ("     1→a\n     2→b", "a\nb"),
        ("1\ta → b\n2\tc\td", "a → b\nc\td"),
        ("1\ta\n\n<system-reminder>\nBeware.\n</system-reminder>", "a"),
        ("", ""),
    ],
    ids=["tabs", "arrows", "both inside", "a reminder behind", "empty"],
)
def test_both_line_number_formats_are_read(result: str, content: str) -> None:
    assert file_excerpt(ReadCall("f", is_partial=False), {}, result) == (content, True)


def test_structured_result_has_more_details() -> None:
    file = {"filePath": "f", "content": "a\nb\n", "numLines": 3, "startLine": 1, "totalLines": 3}
    whole = {"type": "text", "file": file}
    part = {"type": "text", "file": file | {"totalLines": 9}}
    later = {"type": "text", "file": file | {"startLine": 4}}
    read = ReadCall("f", is_partial=False)
    assert file_excerpt(read, whole, "1\tcut") == ("a\nb\n", True)
    assert [file_excerpt(read, structured, "")[1] for structured in (part, later)] == [False, False]
    image = {"type": "image", "file": {"type": "image/png", "dimensions": {"originalWidth": 8, "originalHeight": 4}}}
    assert file_excerpt(read, image, "") == ("[image image/png 8x4]", True)
    assert file_excerpt(read, {"type": "pdf"}, "") == ("[pdf]", True)


def test_read_is_partial_according_to_its_input() -> None:
    assert parse_read_call('{"file_path": "f"}') == ReadCall("f", is_partial=False)
    assert parse_read_call('{"file_path": "f", "limit": 3}') == ReadCall("f", is_partial=True)
    assert [parse_read_call(tool_input) for tool_input in (None, "[]", "{}", '{"file_path": 7}')] == [None] * 4


def snapshots(sandbox: Sandbox, *calls: Json) -> dict[str, str]:
    """Return the kept content of each file after these calls of Read, by the real Claude Code."""
    turn = "\n".join(f"call Read {json.dumps(call)}" for call in calls)
    sandbox.serve_script(f"{turn}\n\nsay Done.")
    session_id = sandbox.launch("Read", "--allowed-tools", "Read")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    rows: list[Json] = json.loads(sandbox.ok("show", session_id, "--snapshots", "--json"))
    tool_ids = {event["tool_id"] for event in sandbox.events(session_id)}
    assert all(snapshot["tool_id"] in tool_ids for snapshot in rows)
    return {snapshot["file_path"]: snapshot["content"] for snapshot in rows}


def test_content_shown_by_read_is_kept(sandbox: Sandbox) -> None:
    lines = "".join(f"line {number}\n" for number in range(3000))
    (sandbox.work / "whole.txt").write_text("a\nb → c\n")
    (sandbox.work / "part.txt").write_text(lines)
    (sandbox.work / "picture.png").write_bytes(PNG)
    (sandbox.work / "data.bin").write_bytes(bytes(range(256)))
    (sandbox.root / "outside.txt").write_text(lines)
    paths = {
        name: str(sandbox.work / name) for name in ("whole.txt", "part.txt", "picture.png", "data.bin", "gone.txt")
    }
    outside = str(sandbox.root / "outside.txt")
    contents = snapshots(
        sandbox,
        {"file_path": paths["whole.txt"]},
        {"file_path": paths["part.txt"], "offset": 10, "limit": 2},
        {"file_path": paths["picture.png"]},
        {"file_path": paths["data.bin"]},
        {"file_path": paths["gone.txt"]},
        {"file_path": outside, "limit": 2},
    )
    assert contents == {
        paths["whole.txt"]: "a\nb → c\n",
        paths["part.txt"]: lines,
        paths["picture.png"]: "[image image/png 1x1]",
        # Outside the session's directories, only the part that was shown is kept.
        outside: "line 0\nline 1",
    }
    shown_text = sandbox.ok("show", "last", "--snapshots")
    assert f"==> {paths['whole.txt']} <==\na\nb → c\n" in shown_text


FAKE = """
def say(role, block, **more):
    print(json.dumps({"type": role, "message": {"role": role, "content": [block]}, **more}), flush=True)
def read(tool_id, path, result, **more):
    call = {"type": "tool_use", "id": tool_id, "name": "Read", "input": {"file_path": path, "limit": 1}}
    say("assistant", call)
    say("user", {"type": "tool_result", "tool_use_id": tool_id, "content": result}, **more)
"""


def test_missing_large_or_special_files_have_no_snapshot(sandbox: Sandbox) -> None:
    os.mkfifo(sandbox.work / "pipe")
    (sandbox.work / "huge").write_bytes(b"x" * (11 << 20))
    (sandbox.work / "binary").write_bytes(b"\xff\xfe")
    (sandbox.work / "link").symlink_to("/etc/passwd")
    (sandbox.work / "relative").write_text("all of it")
    names = ["pipe", "huge", "binary", "link", "vanished", "relative", "../../etc/passwd", "/dev/zero"]
    calls = "".join(f"read('../../{number}', {name!r}, '1\\tshown')\n" for number, name in enumerate(names))
    sandbox.fake_claude(FAKE + calls)
    sandbox.run("launch", "Hi", "--wait")
    rows = json.loads(sandbox.ok("show", "last", "--snapshots", "--json"))
    contents = {snapshot["file_path"]: snapshot["content"] for snapshot in rows}
    assert contents == {name: "all of it" if name == "relative" else "shown" for name in names}
    session_id = sandbox.ok("ls", "-q").strip()
    # A tool id comes from the model and is not a path.
    assert not (sandbox.state.root / "0").exists()
    assert all(Path(path.name).suffix == "" for path in sandbox.files(session_id).snapshots.iterdir())


def test_pipe_with_the_name_of_a_file_is_not_read(tmp_path: Path) -> None:
    """The content of a pipe is for another reader."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    session = Session.from_columns(
        {"id": "s", "working_dir": str(tmp_path), "additional_directories": (), "source": None}
    )
    files = SessionFiles(tmp_path / "files")
    files.directory.mkdir()
    held = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(held, b"a message")
        row = FileSnapshots(session, files).build_row(
            Snapshot("t", str(pipe), "shown", is_complete=False, created_at=0)
        )
        assert row.content == "shown"
        assert os.read(held, 100) == b"a message"
    finally:
        os.close(held)
