"""A session of the real Claude Code that has everything an exported page can show."""

from __future__ import annotations

import json

from tests.helpers.sandbox import Sandbox, eventually

UPLOAD = """\
import time


def check(path):
    if not path:
        raise ValueError("nothing to upload")


def upload(path, send):
    check(path)
    send(path)
    return time.time()
"""
TEST = """\
import unittest


class Upload(unittest.TestCase):
    def test_tries_again(self):
        self.assertEqual(1, 3, "tries")


unittest.main()
"""


RETRY = """\
import time


def retry(function, *arguments, times, pause=0.5):
    for attempt in range(1, times + 1):
        try:
            return function(*arguments)
        except TimeoutError:
            if attempt == times:
                raise
            time.sleep(pause * 2**attempt)
"""
LONG = "waits 1, 2 and 4 seconds in between, and raises the last timeout as it came, which upload() does not catch"
QUERY = """Make uploads survive timeouts.

They fail at the first one now. Try three times, and tell me what you changed."""


def _call(tool: str, **tool_input: object) -> str:
    return f"call {tool} {json.dumps(tool_input)}"


EDIT = _call(
    "Edit",
    file_path="src/upload.py",
    old_string="    send(path)\n    return",
    new_string="    retry(send, path, times=3)\n    return",
)
AGENT = _call(
    "Agent", description="Look for other callers", prompt="Look for other callers of send.", run_in_background=False
)
SCRIPT = f"""
think The uploader gives up at the first timeout. It should try again, and say why.
say I look at how uploads are sent first.
{_call("Bash", command="grep -n send src/*.py", description="Find what sends")}
{_call("Read", file_path="src/upload.py")}

say `upload()` calls `send` once, and a timeout ends it. I'll try three times, with a pause that grows.
{EDIT}
{_call("Write", file_path="src/retry.py", content=RETRY)}

{_call("Bash", command="python3 tests/test_upload.py", description="Run the tests")}

{AGENT}

{_call("Bash", command="git push origin main", description="Push")}

{_call("Bash", command="touch src/__init__.py && ls src", description="Make it a package")}

say Uploads are tried **three times** now, with a pause that doubles.
    | file | what changed |
    | --- | --- |
    | `src/upload.py` | calls `retry()` |
    | `src/retry.py` | new: tries again after a `TimeoutError` |
    ```python
    retry(send, path, times=3)  # {LONG}
    ```
    What is left: pushing was **not allowed**, and one test still fails.

[other callers]
{_call("Bash", command="grep -rln send src", description="List the files")}

say Nobody but `src/upload.py` and `src/retry.py` sends anything.
"""


def run_sample_session(sandbox: Sandbox) -> str:
    """Run the session and return its ID. It has an approved, a denied and a failed call, and a subagent."""
    sandbox.serve_script(SCRIPT)
    for name, text in {"src/upload.py": UPLOAD, "tests/test_upload.py": TEST}.items():
        (sandbox.work / name).parent.mkdir(exist_ok=True)
        (sandbox.work / name).write_text(text)
    allowed = ("Read", "Edit", "Write", "Agent", "Bash(grep *)", "Bash(python3 *)")
    rules = [argument for rule in allowed for argument in ("--allowed-tools", rule)]
    session_id = sandbox.launch(
        QUERY, "--title", "Uploads survive timeouts", "--name", "uploads", "--approvals", *rules
    )
    _answer(sandbox, "deny", "push it yourself, please")
    _answer(sandbox, "approve", "go ahead")
    sandbox.ok("wait", session_id)
    return session_id


def _answer(sandbox: Sandbox, command: str, comment: str) -> None:
    (request,) = eventually(lambda: json.loads(sandbox.ok("approvals", "--json")), "a request")
    sandbox.ok(command, request["id"], "--comment", comment)
