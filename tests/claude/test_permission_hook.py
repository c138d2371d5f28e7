from __future__ import annotations

import json
from typing import Any

import pytest

from hldctl.claude.permission_hook import (
    EDITS,
    EXACT,
    FILE,
    INPUT,
    SUGGESTED,
    WHOLE_TOOL,
    Rule,
    add_hook,
    is_allowed,
    lasting_rule,
    parse_request,
)


def bash(command: str) -> dict[str, Any]:
    return {"command": command}


def suggested_rule(tool: str, tool_input: dict[str, Any], *suggestions: Any) -> str | None:
    hook_input = {"tool_name": tool, "tool_input": tool_input, "permission_suggestions": suggestions}
    return parse_request(json.dumps(hook_input).encode()).suggested_rule


def suggestion(*contents: str, tool: str = "Bash", **more: Any) -> dict[str, Any]:
    rules = [{"toolName": tool, "ruleContent": content} for content in contents]
    return {"type": "addRules", "behavior": "allow", "rules": rules, **more}


def test_suggestion_counts_if_it_would_allow_the_same_call() -> None:
    build = bash("npm run build")
    assert suggested_rule("Bash", build, suggestion("npm run *")) == "npm run *"
    assert suggested_rule("Bash", build, suggestion("npm run:*")) == "npm run:*"
    assert suggested_rule("Bash", build, suggestion("cd *", "npm run *")) == "npm run *"
    assert suggested_rule("Bash", build, suggestion("npm test *")) is None
    assert suggested_rule("Bash", build, suggestion("npm run *", behavior="deny")) is None
    assert suggested_rule("Bash", build, suggestion("npm run *", type="removeRules")) is None
    assert suggested_rule("Bash", build, suggestion("npm run *", tool="Write")) is None
    assert suggested_rule("Read", {"file_path": "/tmp/a"}, suggestion("//tmp/**", tool="Read")) is None


@pytest.mark.parametrize("kind", ["addDirectories", "setMode"])
def test_prefix_suggested_beside_a_path_does_not_count(kind: str) -> None:
    assert suggested_rule("Bash", bash("rm made"), suggestion("rm made *"), {"type": kind}) is None


@pytest.mark.parametrize(
    ("tool", "tool_input", "suggested", "rule"),
    [
        ("Bash", bash("npm run build"), "npm run *", Rule("Bash", SUGGESTED, "npm run *")),
        ("Bash", bash("rm *"), None, Rule("Bash", EXACT, "rm *")),
        ("WebFetch", {"url": "http://a.b/"}, None, Rule("WebFetch", EXACT, "http://a.b/")),
        ("Write", {"file_path": "a"}, None, Rule("Write", INPUT, '{"file_path":"a"}')),
    ],
)
def test_always_allows_the_suggested_or_a_narrower_rule(
    tool: str, tool_input: dict[str, Any], suggested: str | None, rule: Rule
) -> None:
    assert lasting_rule(tool, tool_input, suggested) == rule
    assert is_allowed(rule, tool, tool_input)


def test_allowed_command_matches_only_itself() -> None:
    for command in ("rm *", "chmod 755 *", "x:*", "git push"):
        rule = lasting_rule("Bash", bash(command), None)
        assert not is_allowed(rule, "Bash", bash(f"{command} --force"))
        assert not is_allowed(rule, "Bash", bash(command[:-1] + "-rf /"))
        assert not is_allowed(rule, "Bash", bash(command[:-2]))


@pytest.mark.parametrize("ending", [" *", ":*"])
def test_prefix_rule_covers_one_plain_command(ending: str) -> None:
    rule = Rule("Bash", SUGGESTED, f"npm run{ending}")
    for command in ("npm run", "npm run build", "npm run build --fast"):
        assert is_allowed(rule, "Bash", bash(command))
    joined = [
        "; rm x",
        " && rm x",
        " | sh",
        " > x",
        " < x",
        " $(rm x)",
        " `rm x`",
        "\nrm x",
        " \\\nx",
        " {a,b}",
        " & x",
    ]
    for command in ("npm runner", "npm", "rm x", *(f"npm run build{more}" for more in joined)):
        assert not is_allowed(rule, "Bash", bash(command)), command
    assert not is_allowed(rule, "Write", bash("npm run build"))
    assert not is_allowed(Rule("Bash", SUGGESTED, ending), "Bash", bash("rm x"))


@pytest.mark.parametrize("suggested", ["env *", "sh:*", "git *", "FOO=x npm *", "npx foo *", "a * b", "*", " *", ""])
def test_too_wide_suggestion_is_narrowed_to_the_command(suggested: str) -> None:
    command = (suggested[:-2] or "x") + " touch made"
    assert lasting_rule("Bash", bash(command), suggested) == Rule("Bash", EXACT, command)
    # Such a rule from an earlier version allows nothing either.
    assert not is_allowed(Rule("Bash", SUGGESTED, suggested), "Bash", bash(command))


@pytest.mark.parametrize("command", ["npm run *", "npm run * --x", "foo *"])
def test_suggestion_equal_to_the_command_is_not_a_wildcard(command: str) -> None:
    rule = lasting_rule("Bash", bash(command), command.split("*")[0] + "*")
    assert rule == Rule("Bash", EXACT, command)
    assert not is_allowed(rule, "Bash", bash("npm run build"))


@pytest.mark.parametrize(
    "more", [{"run_in_background": True}, {"dangerouslyDisableSandbox": True}, {"new": 1}, {"run_in_background": None}]
)
def test_rule_includes_how_a_command_runs(more: dict[str, Any]) -> None:
    plain, other = bash("npm run build"), bash("npm run build") | more
    for suggested in (None, "npm run *"):
        assert not is_allowed(lasting_rule("Bash", plain, suggested), "Bash", other)
        rule = lasting_rule("Bash", other, suggested)
        assert rule.kind == INPUT
        assert is_allowed(rule, "Bash", dict(reversed(other.items())))
        assert not is_allowed(rule, "Bash", plain)
        assert not is_allowed(rule, "Bash", other | {"command": "npm run other"})
    defaults = {"run_in_background": False, "dangerouslyDisableSandbox": False, "timeout": 5, "description": "x"}
    assert is_allowed(lasting_rule("Bash", plain, None), "Bash", plain | defaults)


def test_unknown_tool_is_allowed_for_the_same_input_only() -> None:
    for tool in ("Monitor2", "mcp__shell__run", "WebSearch", "Task", "Read"):
        tool_input = {"command": "npm run build", "b": [1, {"c": None}]}
        rule = lasting_rule(tool, tool_input, "npm run *")
        assert rule == Rule(tool, INPUT, '{"b":[1,{"c":null}],"command":"npm run build"}')
        assert is_allowed(rule, tool, tool_input)
        assert not is_allowed(rule, tool, tool_input | {"b": [1]})
        assert not is_allowed(rule, tool, tool_input | {"more": 1})


def test_rule_applies_to_one_tool() -> None:
    command = bash("npm run build")
    for rule in (lasting_rule("Bash", command, None), lasting_rule("Bash", command, "npm run *")):
        assert is_allowed(rule, "Bash", command)
        for tool in ("Monitor", "mcp__shell__run", "Write", "WebFetch"):
            assert not is_allowed(rule, tool, command)
    other = lasting_rule("mcp__a__run", command, None)
    assert not is_allowed(other, "mcp__b__run", command)
    assert not is_allowed(other, "Bash", command)


def test_old_rule_for_a_whole_tool_allows_nothing() -> None:
    for tool, tool_input in (("Monitor", bash("id")), ("mcp__a__b", {}), ("Read", {"file_path": "/x"}), ("Bash", {})):
        assert not is_allowed(Rule(tool, WHOLE_TOOL), tool, tool_input)
    assert not is_allowed(Rule("Bash", "of a later version"), "Bash", bash("id"))


@pytest.mark.parametrize(
    ("rule", "description"),
    [
        (Rule("Bash", SUGGESTED, "npm run *"), "Bash commands that start with `npm run`"),
        (Rule("Monitor", SUGGESTED, "npm run:*"), "Monitor commands that start with `npm run`"),
        (Rule("Bash", EXACT, "rm *"), "the Bash command `rm *`"),
        (Rule("WebFetch", SUGGESTED, "domain:a.b"), "WebFetch of pages on a.b"),
        (Rule("WebFetch", EXACT, "http://a.b/"), "WebFetch of http://a.b/"),
        (Rule("Edit", EDITS), "edits in the session's directories, as with --auto-accept-edits"),
        (Rule("Edit", FILE, "/x"), "edits of /x"),
        (Rule("mcp__a__b", INPUT, "{}"), "mcp__a__b with this input only: {}"),
        (Rule("Bash", WHOLE_TOOL), "no Bash calls: the rule is from an earlier version, which allowed all of them"),
    ],
)
def test_rule_describes_what_it_allows(rule: Rule, description: str) -> None:
    assert rule.description() == f"{description}, in this session"


def test_domain_rule_covers_its_pages_but_not_lookalikes() -> None:
    rule = Rule("WebFetch", SUGGESTED, "domain:good.com")
    for url in ("https://good.com/a?b=c", "http://good.com:8080/", "https://GOOD.com"):
        assert is_allowed(rule, "WebFetch", {"url": url}), url
    for url in (
        *(
            "https://evil.com\\@good.com/x",
            "https://evil.com@good.com/",
            "https://good.com.evil.com/",
            "ftp://good.com/",
        ),
        *(
            "https://g\u043eod.com/",
            "https://good.com /",
            "https://good.com\n.evil.com/",
            "http://[good.com",
            "",
            "good.com",
        ),
    ):
        assert not is_allowed(rule, "WebFetch", {"url": url}), url


def test_hook_is_added_after_the_users_hooks() -> None:
    own: dict[str, Any] = {"hooks": {"PermissionRequest": [{"matcher": "Bash"}], "Stop": [1]}, "env": {"A": "b"}}
    merged = add_hook(own, "run me")
    assert merged["env"] == {"A": "b"}
    assert merged["hooks"]["Stop"] == [1]
    first, ours = merged["hooks"]["PermissionRequest"]
    assert first == {"matcher": "Bash"}
    assert ours["hooks"][0]["command"] == "run me"
    # Some timers overflow at more milliseconds.
    assert ours["hooks"][0]["timeout"] * 1000 < 2**31
    assert own["hooks"]["PermissionRequest"] == [{"matcher": "Bash"}]
    assert add_hook({"hooks": "no object"}, "x")["hooks"].keys() == {"PermissionRequest"}
