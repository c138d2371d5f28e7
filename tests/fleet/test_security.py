"""Who the record is, and what is never sent to it."""

from __future__ import annotations

import shutil

from hldctl.fleet import membership
from tests.fleet.comparison import differences
from tests.helpers.postgres import USER, Record, fresh_record, running_server
from tests.helpers.sandbox import Sandbox, eventually


def test_server_has_to_prove_its_name(sandbox: Sandbox) -> None:
    with running_server(tls_host="localhost") as server, fresh_record(server) as record:
        url = f"user={USER} dbname={record.name} port={server.port}"
        done = sandbox.run("fleet", "join", f"host=localhost {url}")
        assert (done.returncode, "certificate verify failed" in done.stderr) == (5, True), done.stderr
        done = sandbox.run("fleet", "join", url, environment={"PGHOST": "localhost"})
        assert (done.returncode, "certificate verify failed" in done.stderr) == (5, True), done.stderr
        trusted = sandbox.home / ".postgresql" / "root.crt"
        trusted.parent.mkdir()
        shutil.copy(server.directory / "server.crt", trusted)
        done = sandbox.run("fleet", "join", f"host=127.0.0.1 {url}")
        assert (done.returncode, "does not match host name" in done.stderr) == (5, True), done.stderr
        assert not sandbox.state.fleet.has_joined
        sandbox.ok("fleet", "join", f"host=localhost {url}")
        sandbox.serve_script("say Done.")
        sandbox.ok("launch", "Go", "--wait")
        eventually(lambda: not differences(record, sandbox), "the record to be equal")


def test_secrets_of_a_session_are_not_sent(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    sandbox.serve_script("say Done.")
    server = '{"mcpServers": {"x": {"command": "true", "args": ["secret-1"], "env": {"KEY": "secret-2"}}}}'
    settings = '{"env": {"OTHER": "secret-3"}}'
    options = ["--env", "TOKEN=secret-4", "--settings", settings, "--mcp-config", server]
    sandbox.ok("launch", "Go", "--wait", *options, "--", "--debug-file", "/tmp/secret-5")
    eventually(lambda: not differences(record, sandbox), "the record to be equal")
    tables = ("machines", "sessions", "events", "approvals", "changes")
    rows = str([record.rows(f"SELECT * FROM hldctl.{table}") for table in tables])
    assert "secret-" not in rows


def test_session_cannot_join_a_fleet(sandbox: Sandbox, record: Record) -> None:
    sandbox.serve_script(f'call Bash {{"command": "hldctl fleet join \'{record.url}\' 2>&1"}}\n\nsay Done.')
    sandbox.ok("launch", "Go", "--wait", "--allowed-tools", "Bash")
    assert "not allowed from within session" in sandbox.ok("tail", "last")
    assert not sandbox.state.fleet.has_joined


def test_init_is_repeatable(record: Record) -> None:
    assert membership.init(record.url).migrations == 0
