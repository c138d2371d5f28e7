"""A fake Claude Code with streams that the real one cannot be made to write: sessions continue and end correctly."""

from __future__ import annotations

import os

from tests.helpers.sandbox import Json, Sandbox

SUCCESS = 'print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok"}), flush=True)\n'


def run(sandbox: Sandbox, script: str) -> Json:
    sandbox.fake_claude(script)
    return sandbox.wait_for_end(sandbox.launch("Hi"))


def ending(session: Json) -> tuple[str, str]:
    return session["status"], session["end_reason"]


def test_silent_immediate_exit_is_recorded(sandbox: Sandbox) -> None:
    assert ending(run(sandbox, "")) == ("failed", "no_result")


def test_immediate_failure_with_a_message_is_recorded(sandbox: Sandbox) -> None:
    session = run(sandbox, "sys.exit('something is amiss')")
    assert ending(session) == ("failed", "error")
    assert session["error_message"] == "something is amiss"


def test_immediate_failure_without_a_message_is_recorded(sandbox: Sandbox) -> None:
    session = run(sandbox, "sys.exit(3)")
    assert ending(session) == ("failed", "error")
    assert "3" in session["error_message"]
    assert session["exit_code"] == 3


def test_output_on_standard_error_is_not_a_failure(sandbox: Sandbox) -> None:
    session = run(sandbox, f"print('a warning', file=sys.stderr)\n{SUCCESS}")
    assert ending(session) == ("completed", "success")
    assert session["error_message"] is None


def test_garbage_is_kept_noted_and_skipped(sandbox: Sandbox) -> None:
    garbage = b'\xff\xfe\x00\n{"type":\n[1, 2]\n"text"\n\n{"type": 7}\n{"type": "novelty"}\n{}\nnull\n'
    session = run(sandbox, f"os.write(1, {garbage!r})\n{SUCCESS}")
    assert ending(session) == ("completed", "success")
    assert sandbox.files(session["id"]).journal.read_bytes().startswith(garbage)
    notes = [event["content"] for event in sandbox.events(session["id"]) if event["event_type"] == "system"]
    assert len(notes) == 5
    assert "unknown novelty" in sandbox.ok("show", session["id"])


def test_line_of_twenty_megabytes_is_recorded(sandbox: Sandbox) -> None:
    length = 20_000_000
    script = (
        f'text = "x" * {length}\n'
        'message = {"role": "assistant", "content": [{"type": "text", "text": text}]}\n'
        'print(json.dumps({"type": "assistant", "message": message}), flush=True)\n'
    )
    session = run(sandbox, script + SUCCESS)
    assert ending(session) == ("completed", "success")
    assert [len(event["content"]) for event in sandbox.events(session["id"])] == [2, length]


def test_last_line_without_its_newline_counts(sandbox: Sandbox) -> None:
    assert ending(run(sandbox, SUCCESS.replace("flush=True", "end=''"))) == ("completed", "success")


def test_line_written_byte_by_byte_is_one_line(sandbox: Sandbox) -> None:
    line = b'{"type": "assistant", "message": {"role": "assistant", "content": "caf\xc3\xa9 \xe2\x80\xa8 end"}}\n'
    script = f"for byte in {line!r}:\n    os.write(1, bytes([byte])); time.sleep(0.001)\n"
    session = run(sandbox, script + SUCCESS)
    assert [event["content"] for event in sandbox.events(session["id"])] == ["Hi", "caf\xe9 \u2028 end"]


def test_output_right_before_the_exit_counts(sandbox: Sandbox) -> None:
    line = '{"type": "assistant", "message": {"role": "assistant", "content": "x"}}\n'
    script = f"os.write(1, {line.encode()!r} * 5000)\n{SUCCESS}os._exit(0)"
    session = run(sandbox, script)
    assert len(sandbox.events(session["id"])) == 5001
    assert ending(session) == ("completed", "success")


def test_result_line_is_not_always_the_end(sandbox: Sandbox) -> None:
    script = (
        'while not os.path.exists("go-on"):\n    time.sleep(0.05)\n'
        'print(json.dumps({"type": "assistant", "message": {"content": "and more"}}), flush=True)\n'
    )
    sandbox.fake_claude(SUCCESS + script)
    session_id = sandbox.launch("Hi")
    sandbox.wait_for_journal(session_id, "result")
    assert sandbox.show(session_id)["status"] == "running"
    sandbox.release()
    session = sandbox.wait_for_end(session_id)
    assert ending(session) == ("completed", "success")
    assert sandbox.events(session_id)[-1]["content"] == "and more"


def test_success_result_with_a_failing_exit_code_is_a_failure(sandbox: Sandbox) -> None:
    assert ending(run(sandbox, f"{SUCCESS}sys.exit(1)")) == ("failed", "error")


def test_interrupt_stops_a_session_that_never_ends(sandbox: Sandbox) -> None:
    sandbox.fake_claude("while True:\n    time.sleep(1)")
    session_id = sandbox.launch("Hi")
    sandbox.ok("interrupt", session_id)
    session = sandbox.show(session_id)
    assert ending(session) == ("interrupted", "interrupted")
    assert not os.path.exists(f"/proc/{session['pid']}")


def test_too_deeply_nested_line_does_no_harm(sandbox: Sandbox) -> None:
    nested = '{"type": "result", "permission_denials": [' + '{"a": ' * 975 + "1" + "}" * 975 + "]}"
    session = run(sandbox, f"print({nested!r}, flush=True)\n{SUCCESS}")
    assert ending(session) == ("completed", "success")
    for command in (["ls", "--json"], ["show", "last"], ["tail", "last"]):
        assert sandbox.run(*command).returncode == 0


def test_invalid_json_in_the_stream_gives_valid_output(sandbox: Sandbox) -> None:
    call = '{"type": "tool_use", "id": "t", "name": "Bash", "input": {"n": NaN, "m": 1e999}}'
    line = f'{{"type": "assistant", "message": {{"content": [{call}]}}}}'
    session = run(sandbox, f"print({line!r}, flush=True)\n{SUCCESS}")
    (event,) = [event for event in sandbox.events(session["id"]) if event["event_type"] == "tool_call"]
    assert event["tool_input"] == {"n": None, "m": None}
