"""Scripts that hold a conversation with the user, played to the real Claude Code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helpers.sandbox import Sandbox, claude_binary

Json = dict[str, Any]


class Host:
    """A program that talks to Claude Code through its standard streams and answers its requests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def write(self, line: Json) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def send(self, text: str) -> None:
        self.write({"type": "user", "message": {"role": "user", "content": text}})

    def wait_for(self, kind: str) -> Json:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if (value := json.loads(line))["type"] == kind:
                found: Json = value
                return found
        raise AssertionError(f"Claude Code has exited without a line {kind!r}")

    def allow(self, request: Json, tool_input: Json) -> None:
        response = {"behavior": "allow", "updatedInput": tool_input}
        answer = {"subtype": "success", "request_id": request["request_id"], "response": response}
        self.write({"type": "control_response", "response": answer})


@contextmanager
def host(sandbox: Sandbox, *arguments: str) -> Iterator[Host]:
    flags = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    with subprocess.Popen(
        [claude_binary(), "-p", *flags, "--permission-prompt-tool", "stdio", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=sandbox.work,
        env=sandbox.environment,
    ) as process:
        yield Host(process)
        assert process.communicate()[1] == ""


def test_user_answers_the_questions_of_a_script(sandbox: Sandbox) -> None:
    sandbox.serve_script("""
ask [Indent] Tabs or spaces?
  - Tabs: one a level
  - Spaces
ask Which checks?
  - [ ] Types
  - [ ] Style: and names

say As you like.
""")
    with host(sandbox) as user:
        user.send("Hello")
        request = user.wait_for("control_request")
        tool_input = request["request"]["input"]
        assert request["request"]["tool_name"] == "AskUserQuestion"
        assert [question["multiSelect"] for question in tool_input["questions"]] == [False, True]
        user.allow(request, tool_input | {"answers": {"Tabs or spaces?": "Tabs", "Which checks?": "Types, Style"}})
        answered = user.wait_for("user")["message"]["content"][0]["content"]
        assert answered.startswith('Your questions have been answered: "Tabs or spaces?"="Tabs", "Which checks?"=')
        assert user.wait_for("result")["result"] == "As you like."


def test_user_approves_the_plan_of_a_script(sandbox: Sandbox) -> None:
    sandbox.serve_script("plan <<END\n# Plan\n\n    indented\nEND\n\nsay Done.")
    with host(sandbox, "--permission-mode", "plan") as user:
        user.send("Hello")
        request = user.wait_for("control_request")
        assert request["request"]["tool_name"] == "ExitPlanMode"
        user.allow(request, request["request"]["input"])
        approved = next(line for line in iter(lambda: user.wait_for("user"), None) if "plan" in line["tool_use_result"])
        assert approved["tool_use_result"]["plan"] == "# Plan\n\n    indented"
        assert Path(approved["tool_use_result"]["filePath"]).parent.name == "plans"
        assert user.wait_for("result")["result"] == "Done."


def test_script_sets_tokens_and_so_the_cost(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Hi.\nusage input=1000 output=2k cache-read=1M cache-write=500")
    session = json.loads(sandbox.ok("launch", "Hello", "--wait", "--json", "--model", "claude-opus-4-5"))
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    assert [session[name] for name in names] == [1000, 2000, 1_000_000, 500]
    # 5, 25, 0.5 and 6.25 dollars for a million.
    assert session["cost_usd"] == 0.005 + 0.05 + 0.5 + 0.003125


def test_script_names_the_model(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Hi.\nmodel claude-haiku-4-5-20251001")
    session = json.loads(sandbox.ok("launch", "Hello", "--wait", "--json"))
    assert '"model":"claude-haiku-4-5-20251001"' in sandbox.files(session["id"]).journal.read_text()


def test_script_waits_for_messages(sandbox: Sandbox) -> None:
    sandbox.serve_script("""
say <<END
Tabs?

    or spaces
END
await message
say Thanks.

await message go
call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done"}

await message
say All done.
""")
    session_id = sandbox.launch("Hello", "--keep-open", "--allowed-tools", "Bash")
    sandbox.ok("wait", "--until", "idle", session_id)
    assert sandbox.ok("tail", session_id, "--json").count("Tabs?\\n\\n    or spaces") == 1
    assert sandbox.ok("send", "--wait", session_id, "Tabs") == "Thanks.\n"
    assert sandbox.ok("send", "--wait", session_id, "Wait a little") == "Noted.\n"
    sandbox.ok("send", session_id, "go")
    sandbox.wait_for_journal(session_id, "go-on")
    sandbox.ok("send", session_id, "One more thing")
    sandbox.release()
    sandbox.wait_for_journal(session_id, '"result":"All done."')
    sandbox.ok("close", session_id)
