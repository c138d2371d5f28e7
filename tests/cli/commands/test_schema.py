"""The JSON Schemas: complete, installed, and kept by each command."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import typer

from hldctl.cli import app
from hldctl.store.session import EXPOSED_COLUMNS
from tests.helpers.json_contract import require_contract, schema_name, strict
from tests.helpers.sandbox import Sandbox

json_schemas = importlib.import_module("scripts.json_schemas")
command_help = importlib.import_module("scripts.command_help")

NAMES = list(json_schemas.DEFINITIONS)


def test_list_names_each_schema_with_what_it_describes(sandbox: Sandbox) -> None:
    lines = sandbox.ok("schema").splitlines()[1:]
    assert [line.split()[0] for line in lines] == sorted(NAMES)
    assert all(len(line.split()) > 2 for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_command_prints_a_valid_schema(sandbox: Sandbox, name: str) -> None:
    schema = json.loads(sandbox.ok("schema", name))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == json_schemas.schema(name)


def test_unknown_name_is_answered_with_the_names(sandbox: Sandbox) -> None:
    done = sandbox.run("schema", "sessions")
    assert done.returncode == 2
    assert "'sessions' is not a schema; choose one of approval, " in done.stderr


def objects(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    schema = json_schemas.schema(name)
    yield name, schema
    yield from schema["$defs"].items()


@pytest.mark.parametrize("name", NAMES)
def test_each_field_has_a_meaning_that_says_when_it_is_null(name: str) -> None:
    for owner, schema in objects(name):
        for field, property_ in schema["properties"].items():
            text, place = property_["description"], f"{owner}.{field}"
            assert text[:1].isupper() or text.startswith("`"), place
            assert text.endswith("."), place
            allowed = property_.get("type", []), property_.get("anyOf", [])
            items = property_.get("items", {}).get("anyOf", [])
            is_nullable = "null" in allowed[0] or {"type": "null"} in allowed[1] + items
            # The value of a setting can be anything.
            assert is_nullable == ("null" in text) or not any(allowed), place


def test_schema_of_a_session_has_the_columns_in_their_order() -> None:
    assert list(json_schemas.schema("session")["properties"]) == [*EXPOSED_COLUMNS, "check"]


def commands() -> Iterator[tuple[str, typer.Context]]:
    for name in app.COMMANDS:
        context = command_help.make_context(app.load_command(name), name)
        yield name, context
        yield from ((f"{name} {each.info_name}", each) for each in command_help.subcommands(context))


def test_each_command_with_json_has_a_schema() -> None:
    with_json = {
        name for name, context in commands() if any("--json" in each.opts for each in command_help.options(context))
    }
    # It prints the value alone.
    with_json.remove("config get")
    assert {output.command for output in json_schemas.OUTPUTS} - {"export"} == with_json
    assert {output.schema for output in json_schemas.OUTPUTS} == set(NAMES)


def test_options_choose_the_schema() -> None:
    assert schema_name(["show", "last", "--events", "--json"]) == "event"
    assert schema_name(["show", "last", "--json"]) == "shown-session"
    assert schema_name(["fleet", "--json"]) == "machine"
    assert schema_name(["fleet", "prune", "--json"]) == "removal"
    assert schema_name(["config", "get", "model", "--json"]) is None


def test_strict_schema_refuses_what_is_not_documented(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Hi", "--wait")
    session = sandbox.show("last")
    require_contract(["show", "--json"], json.dumps(session))
    for broken in (
        {**session, "more": 1},
        {**session, "status": "sleeping"},
        {**session, "cost_usd": "much"},
        {**session, "worktree": {"path": "/"}},
        {name: value for name, value in session.items() if name != "end_reason"},
    ):
        with pytest.raises(AssertionError):
            require_contract(["show", "--json"], json.dumps(broken))


def test_installed_schema_allows_fields_of_later_versions() -> None:
    assert "additionalProperties" not in json.dumps([json_schemas.schema(name) for name in NAMES])
    assert strict(json_schemas.schema("message"))["additionalProperties"] is False


def test_feed_data_is_described_for_each_type() -> None:
    described = {rule["if"]["properties"]["type"]["const"] for rule in json_schemas.schema("feed-event")["allOf"]}
    types = set(json_schemas.schema("feed-event")["properties"]["type"]["enum"])
    assert described == types - {"session_settings_changed"}


@pytest.mark.parametrize(
    ("arguments", "is_array"),
    [
        (("ls", "--json"), True),
        (("show", "last", "--json"), False),
        (("show", "last", "--events", "--json"), True),
        (("show", "last", "--snapshots", "--json"), True),
        (("tail", "last", "--json"), False),
        (("events", "--json"), False),
        (("approvals", "--all", "--json"), True),
        (("stats", "--json"), True),
        (("stats", "--budgets", "--json"), True),
        (("config", "--json"), True),
        (("doctor", "--json"), True),
        (("wait", "last", "--json"), True),
        (("export", "last", "--format", "json"), False),
        (("set", "last", "--title", "T", "--json"), False),
        (("continue", "last", "More", "--wait", "--json"), False),
    ],
)
def test_command_prints_what_its_schema_describes(used: Sandbox, arguments: tuple[str, ...], is_array: bool) -> None:
    printed = used.run(*arguments).stdout
    assert schema_name(arguments) is not None
    assert printed.strip()
    assert printed.startswith("[") == is_array


@pytest.fixture
def used(sandbox: Sandbox) -> Sandbox:
    """Return a sandbox with a session that has used tools, a denied call and a question."""
    (sandbox.work / "a.txt").write_text("text\n")
    sandbox.configure("[budgets]\ndaily_usd = 5\n")
    sandbox.serve_script(
        f'call Read {{"file_path": "{sandbox.work}/a.txt"}}\n\n'
        'call Bash {"command": "touch b"}\n\nsay Done.\n\nsay More.'
    )
    sandbox.run("launch", "Hi", "--wait", "--allowed-tools", "Read", "--approvals", "--approval-timeout", "1s=deny")
    return sandbox
