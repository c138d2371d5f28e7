"""Holds what commands print as JSON to the schemas, in each test that runs one."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import jsonschema

json_schemas = importlib.import_module("scripts.json_schemas")

_MOST_OBJECTS = 200
"""Of a long output, the first ones."""


def require_contract(arguments: Sequence[str], printed: str) -> None:
    """Fail if a command has printed JSON that its schema does not describe."""
    if not (is_json(arguments) and printed.strip()) or (name := schema_name(arguments)) is None:
        return
    for value in _objects(printed)[:_MOST_OBJECTS]:
        problems = [f"{error.json_path}: {error.message[:500]}" for error in _validator(name).iter_errors(value)]
        assert not problems, (arguments, name, problems)


def is_json(arguments: Sequence[str]) -> bool:
    """Return whether a command was asked for JSON on standard output."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if own and own[0] == "export":
        return "json" in own and not {"-o", "--output"} & set(own)
    return "--json" in own


def schema_name(arguments: Sequence[str]) -> str | None:
    """Return the name of the schema of what a command prints; None for a command without one."""
    found = (
        output
        for output in json_schemas.OUTPUTS
        if list(arguments[: len(output.command.split())]) == output.command.split()
        and all(option in arguments for option in output.options)
    )
    is_value = list(arguments[:2]) == ["config", "get"]
    output = None if is_value else next(found, None)
    return None if output is None else str(output.schema)


def _objects(printed: str) -> list[Any]:
    try:
        value = json.loads(printed)
    except ValueError:
        lines = printed.splitlines()
        # The command may have been killed within the last line.
        return [json.loads(line) for line in lines if line.endswith("}")]
    return value if isinstance(value, list) else [value]


@cache
def _validator(name: str) -> Any:
    schema = strict(json_schemas.schema(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def strict(schema: Any) -> Any:
    """Return a schema that allows no other fields: so the commands print what is documented, and nothing else."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    return {**found, "additionalProperties": False} if "required" in schema and "properties" in schema else found
