"""Presets of `--on-end` and `--on-approval`: a desktop notification, a mail, a webhook."""

from __future__ import annotations

import email
import email.policy
import json
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.helpers.sandbox import Json, Sandbox, eventually


class Hook(HTTPServer):
    """A web server on the loopback interface that records what is posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[Json] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/secret"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(500 if self.path.endswith("broken") else 204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


def install(sandbox: Sandbox, name: str, code: int = 0) -> Path:
    """Put a program on PATH that records its arguments and its input; return the file with the record."""
    programs = sandbox.root / "programs"
    programs.mkdir(exist_ok=True)
    record = sandbox.root / f"{name}.record"
    program = programs / name
    program.write_text(f'#!/bin/sh\n(printf "%s\\n" "$@"; cat) > {record}\nexit {code}\n')
    program.chmod(0o755)
    sandbox.environment["PATH"] = f"{programs}:{sandbox.environment['PATH']}"
    return record


def read_mail(record: Path) -> tuple[list[str], EmailMessage]:
    """Return the arguments of sendmail and the message."""
    first, second, text = record.read_bytes().split(b"\n", 2)
    message = email.message_from_bytes(text, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return [first.decode(), second.decode()], message


def test_mail_has_status_in_its_subject_and_the_result(sandbox: Sandbox) -> None:
    record = install(sandbox, "sendmail")
    sandbox.serve_script("say Grüße.")
    sandbox.ok("launch", "Go", "--name", "nightly", "--wait", "--on-end", "mail me@example.org")
    short_id = sandbox.show("last")["id"][:8]
    arguments, message = read_mail(record)
    assert arguments == ["-i", "me@example.org"]
    assert (message["To"], message["Subject"]) == ("me@example.org", f"hldctl: nightly ({short_id}) completed")
    text = message.get_content()
    assert text.startswith("Grüße.\n")
    assert text.endswith(f"hldctl show {short_id}\n")


def test_mail_of_a_failure_goes_to_the_user_with_the_reason(sandbox: Sandbox) -> None:
    record = install(sandbox, "sendmail")
    sandbox.configure('on_end = "mail"')
    sandbox.serve_script("fail 400 no luck")
    sandbox.run("launch", "Go", "--wait", environment={"LOGNAME": "root"})
    arguments, message = read_mail(record)
    assert arguments == ["-i", "root"]
    assert message["Subject"].endswith("failed: api error")
    assert "no luck" in message.get_content()


def test_webhook_gets_the_session_and_a_text(sandbox: Sandbox, hook: Hook) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--title", "Chores", "--wait", "--on-end", f"webhook {hook.url}")
    (posted,) = hook.posted
    session = sandbox.show("last")
    assert (posted["id"], posted["status"], posted["result_content"]) == (session["id"], "completed", "Done.")
    short_id = session["id"][:8]
    assert posted["text"] == f"hldctl: Chores ({short_id}) completed; hldctl show {short_id}"


def test_desktop_notification_names_the_session(sandbox: Sandbox) -> None:
    record = install(sandbox, "notify-send")
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--title", "Chores", "--wait", "--on-end", "desktop")
    assert f"hldctl: Chores ({sandbox.show('last')['id'][:8]}) completed" in record.read_text().splitlines()


def test_presets_notify_of_permission_requests(sandbox: Sandbox, hook: Hook) -> None:
    sandbox.serve_script('call Bash {"command": "touch made"}\n\nsay Done.')
    session_id = sandbox.launch("Go", "--approvals", "--on-approval", f"webhook {hook.url}")
    (posted,) = eventually(lambda: hook.posted, "the request")
    assert (posted["tool_name"], posted["tool_input"]) == ("Bash", {"command": "touch made"})
    assert posted["text"].endswith(f"; hldctl approve {posted['id'][:8]}")
    sandbox.ok("approve", posted["id"])
    assert sandbox.wait_for_end(session_id)["status"] == "completed"


@pytest.mark.parametrize("kind", ["webhook", "mail"])
def test_failed_preset_is_logged_and_shown(sandbox: Sandbox, hook: Hook, kind: str) -> None:
    install(sandbox, "sendmail", code=75)
    sandbox.serve_script("say Done.")
    preset = {"webhook": f"webhook {hook.url}/broken", "mail": "mail me"}[kind]
    assert sandbox.run("launch", "Go", "--wait", "--on-end", preset).returncode == 0
    log = sandbox.files(sandbox.show("last")["id"]).log.read_text()
    assert {"webhook": "webhook: Internal Server Error", "mail": "exited with code 75"}[kind] in log
    assert "secret" not in log
    assert "failed with exit code 1" in sandbox.ok("show", "last")


@pytest.mark.parametrize(
    ("preset", "message"),
    [("webhook", "needs a URL"), ("webhook ftp://example.org", "needs a URL"), ("desktop", "notify-send")],
)
@pytest.mark.parametrize("option", ["--on-end", "--on-approval"])
def test_preset_that_cannot_work_is_refused(sandbox: Sandbox, option: str, preset: str, message: str) -> None:
    # A PATH without notify-send, wherever the tests run.
    programs = sandbox.root / "programs"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    done = sandbox.run("launch", "Go", option, preset, environment={"PATH": str(programs)})
    assert (done.returncode, done.stdout) == (2, "")
    assert option in done.stderr
    assert message in done.stderr
    assert not sandbox.state.sessions.exists()


def test_mail_with_options_is_a_command(sandbox: Sandbox) -> None:
    record = install(sandbox, "mail")
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait", "--on-end", 'mail -s "$HLDCTL_STATUS" me')
    lines = record.read_text().splitlines()
    assert lines[:3] == ["-s", "completed", "me"]
    assert json.loads(lines[3])["result_content"] == "Done."
