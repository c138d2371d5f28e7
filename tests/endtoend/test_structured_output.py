"""`--json-schema`: a result that fits the schema, or a session that has failed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hldctl.cli.command_line import parse
from hldctl.cli.remote.files import resolve_local_files
from tests.helpers.sandbox import Sandbox, eventually, kill

SCHEMA = {
    "type": "object",
    "properties": {"bugs": {"type": "integer"}},
    "required": ["bugs"],
    "additionalProperties": False,
}
GIVES_OUTPUT = 'call StructuredOutput {"bugs": 3}\n\nsay Done.'
GATED_OUTPUT = 'say One.\ncall Bash {"command": "until [ -e go-on ]; do sleep 0.1; done"}\n\n' + GIVES_OUTPUT
MISMATCH = ("failed", "schema_mismatch")


def launch(sandbox: Sandbox, *arguments: str) -> dict[str, Any]:
    return sandbox.wait_for_end(sandbox.launch("Count", "--json-schema", json.dumps(SCHEMA), *arguments))


def outcome(session: dict[str, Any]) -> tuple[str, str]:
    return session["status"], session["end_reason"]


def test_wait_prints_the_output_alone(sandbox: Sandbox) -> None:
    sandbox.serve_script(GIVES_OUTPUT)
    (sandbox.work / "schema.json").write_text(json.dumps(SCHEMA))
    printed = sandbox.ok("launch", "Count", "--json-schema", "schema.json", "--wait")
    assert json.loads(printed) == {"bugs": 3}
    session = sandbox.show("last")
    assert outcome(session) == ("completed", "success")
    assert (session["json_schema"], session["structured_output"]) == (SCHEMA, {"bugs": 3})
    assert json.loads(session["result_content"]) == {"bugs": 3}
    page = sandbox.ok("show", "last")
    assert f"json schema                 {json.dumps(SCHEMA)}" in page
    assert json.loads(sandbox.ok("ls", "--json"))[0]["structured_output"] == {"bugs": 3}
    assert json.loads(sandbox.ok("export", "last", "--format", "json"))["structured_output"] == {"bugs": 3}


def test_session_without_the_output_has_failed(sandbox: Sandbox) -> None:
    # Claude Code asks for it once.
    sandbox.serve_script("say About three.\n\nsay Really about three.")
    done = sandbox.run("launch", "Count", "--json-schema", json.dumps(SCHEMA), "--wait")
    assert (done.returncode, done.stdout) == (1, "")
    assert "The model ended its turn without a result that fits --json-schema; see" in done.stderr
    session = sandbox.show("last")
    assert (outcome(session), session["structured_output"]) == (MISMATCH, None)
    assert session["result_content"] == "Really about three."


def test_session_that_gives_unfitting_output_has_failed(sandbox: Sandbox) -> None:
    sandbox.serve_script("\n\n".join(['call StructuredOutput {"bugs": "three"}'] * 7))
    session = launch(sandbox)
    assert (outcome(session), session["structured_output"]) == (MISMATCH, None)
    assert "/bugs: must be integer" in session["error_message"]


def test_schema_after_dashes_counts_as_well(sandbox: Sandbox) -> None:
    sandbox.serve_script("say About three.\n\n[Now]\n" + GIVES_OUTPUT)
    session = sandbox.wait_for_end(sandbox.launch("Count", "--", "--json-schema", json.dumps(SCHEMA)))
    assert (outcome(session), session["json_schema"]) == (MISMATCH, None)
    child = sandbox.wait_for_end(sandbox.ok("continue", session["id"], "Now").strip())
    assert (outcome(child), child["structured_output"]) == (("completed", "success"), {"bugs": 3})


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"items": {"type": "bogus"}}, "data/items/type must be equal to one of the allowed values"),
        ({"type": "object", "required": "bugs"}, "data/required must be array"),
        ({"type": "object", "properties": {"bugs": {"$ref": "#/nosuch"}}}, "can't resolve reference #/nosuch"),
        ({"type": "object", "propertys": {}}, 'unknown keyword: "propertys"'),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema"}, "no schema with key or ref"),
    ],
    ids=["type", "required", "reference", "keyword", "draft"],
)
def test_schema_that_claude_code_refuses_starts_nothing(sandbox: Sandbox, schema: dict[str, Any], reason: str) -> None:
    sandbox.serve_script(GIVES_OUTPUT)
    done = sandbox.run("launch", "Count", "--json-schema", json.dumps(schema), "--agent", "Plan")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("hldctl: --json-schema is refused by Claude Code: it is not a valid JSON Schema: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert not sandbox.state.sessions.exists()


def test_longest_schema_works_and_a_longer_one_is_refused(sandbox: Sandbox) -> None:
    sandbox.serve_script(GIVES_OUTPUT)
    free = (1 << 17) - 1 - len(json.dumps({**SCHEMA, "description": ""}, separators=(",", ":")))
    (sandbox.work / "long.json").write_text(json.dumps({**SCHEMA, "description": "x" * free}))
    assert json.loads(sandbox.ok("launch", "Count", "--json-schema", "long.json", "--wait")) == {"bugs": 3}
    (sandbox.work / "long.json").write_text(json.dumps({**SCHEMA, "description": "x" * (free + 1)}))
    done = sandbox.run("launch", "Count", "--json-schema", "long.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--json-schema has 131072 bytes; shorten it to less than 131072." in done.stderr


def test_continuation_inherits_replaces_or_drops_the_schema(sandbox: Sandbox) -> None:
    sandbox.serve_script(f'{GIVES_OUTPUT}\n\n[names]\ncall StructuredOutput {{"names": []}}\n\n[text]\nsay A text.')
    parent = launch(sandbox)
    child = sandbox.wait_for_end(sandbox.ok("continue", parent["id"], "Again").strip())
    assert (child["json_schema"], child["structured_output"]) == (SCHEMA, {"bugs": 3})
    names = {"type": "object", "properties": {"names": {"type": "array"}}, "required": ["names"]}
    other = ("continue", parent["id"], "Now the names", "--json-schema", json.dumps(names), "--wait")
    assert json.loads(sandbox.ok(*other)) == {"names": []}
    assert sandbox.ok("continue", parent["id"], "Now a text", "--json-schema", "", "--wait") == "A text.\n"
    assert (sandbox.show("last")["json_schema"], sandbox.show("last")["structured_output"]) == (None, None)


def test_open_session_keeps_the_last_output_that_it_gave(sandbox: Sandbox) -> None:
    sandbox.serve_script(
        f'{GIVES_OUTPUT}\n\n[more]\ncall StructuredOutput {{"bugs": 4}}\n\n[thanks]\nsay Hm.\n\nsay You are welcome.'
    )
    session_id = sandbox.launch("Count", "--json-schema", json.dumps(SCHEMA), "--keep-open")
    sandbox.run("wait", session_id, "--until", "idle")
    assert sandbox.show(session_id)["structured_output"] == {"bugs": 3}
    assert json.loads(sandbox.ok("send", session_id, "And more", "--wait")) == {"bugs": 4}
    assert sandbox.ok("send", session_id, "Many thanks", "--wait") == "You are welcome.\n"
    sandbox.ok("close", session_id)
    session = sandbox.show(session_id)
    assert (outcome(session), session["structured_output"]) == (("completed", "success"), {"bugs": 4})


def test_output_before_a_failed_check_does_not_count(sandbox: Sandbox) -> None:
    script = f'{GIVES_OUTPUT}\n\n[The check]\ncall Bash {{"command": "touch fixed"}}\n\nsay Fixed.'
    sandbox.serve_script(script)
    session = launch(sandbox, "--check", "test -e fixed", "--allowed-tools", "Bash")
    assert (outcome(session), session["structured_output"]) == (MISMATCH, None)
    assert (sandbox.work / "fixed").exists()


def test_command_at_the_end_gets_the_output(sandbox: Sandbox) -> None:
    sandbox.serve_script(GIVES_OUTPUT)
    launch(sandbox, "--on-end", "cat > ended.json")
    ended = sandbox.work / "ended.json"
    eventually(lambda: ended.exists() and ended.read_text().endswith("}\n"), "the command at the end")
    assert json.loads(ended.read_text())["structured_output"] == {"bugs": 3}


def test_output_survives_a_killed_supervisor_and_a_lost_database(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_OUTPUT)
    arguments = ("--json-schema", json.dumps(SCHEMA), "--allowed-tools", "Bash")
    session_id = sandbox.launch("Count", *arguments)
    sandbox.wait_for_journal(session_id, "One.")
    kill([*sandbox.guards(), *sandbox.supervisors()])
    eventually(lambda: not sandbox.guards() and not sandbox.supervisors(), "the death of the supervisor")
    sandbox.release()
    session = sandbox.wait_for_end(session_id)
    assert (outcome(session), session["structured_output"]) == (("completed", "success"), {"bugs": 3})
    eventually(lambda: not sandbox.processes(), "the end of all processes")
    for file in sandbox.state.root.glob("hldctl.db*"):
        file.unlink()
    # As if it had been lost long ago.
    os.utime(sandbox.files(session_id).directory, (0, 0))
    sandbox.run("doctor", "--fix")
    restored = sandbox.show(session_id)
    assert (restored["json_schema"], restored["structured_output"]) == (SCHEMA, {"bugs": 3})


def test_rehearsal_plays_the_output(sandbox: Sandbox) -> None:
    (sandbox.work / "script.txt").write_text(GIVES_OUTPUT)
    rehearsed = ("--rehearse", "script.txt", "--json-schema", json.dumps(SCHEMA))
    assert json.loads(sandbox.ok("launch", "Count", *rehearsed, "--wait")) == {"bugs": 3}


def test_schema_and_agents_travel_to_another_machine(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text('{"type": "object"}')
    for option in ("--json-schema", "--agents"):
        line = parse(["-H", "build", "launch", "Go", option, str(tmp_path / "file.json")], {})
        words, files = resolve_local_files(line, {})
        assert (words[-2:], files) == ([option, '{"type": "object"}'], [])
