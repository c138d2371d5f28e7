from __future__ import annotations

import json
from typing import Any

import pytest

from hldctl.claude.permission import EXACT, INPUT, SUGGESTED, Rule, is_allowed, lasting_rule, request, with_hook


def bash(command: str) -> dict[str, Any]:
    return {"command": command}


def asked(tool: str, tool_input: dict[str, Any], *suggestions: Any) -> str | None:
    told = {"tool_name": tool, "tool_input": tool_input, "permission_suggestions": suggestions}
    return request(json.dumps(told).encode()).suggested_rule


def adding(*contents: str, tool: str = "Bash", **more: Any) -> dict[str, Any]:
    rules = [{"toolName": tool, "ruleContent": content} for content in contents]
    return {"type": "addRules", "behavior": "allow", "rules": rules, **more}


def test_a_suggestion_counts_if_it_would_allow_this_very_call() -> None:
    build = bash("npm run build")
    assert asked("Bash", build, adding("npm run *")) == "npm run *"
    assert asked("Bash", build, adding("npm run:*")) == "npm run:*"
    assert asked("Bash", build, adding("cd *", "npm run *")) == "npm run *"
    assert asked("Bash", build, adding("npm test *")) is None
    assert asked("Bash", build, adding("npm run *", behavior="deny")) is None
    assert asked("Bash", build, adding("npm run *", type="removeRules")) is None
    assert asked("Bash", build, adding("npm run *", tool="Write")) is None
    assert asked("Read", {"file_path": "/tmp/a"}, adding("//tmp/**", tool="Read")) is None


@pytest.mark.parametrize(
    ("tool", "tool_input", "suggested", "rule"),
    [
        ("Bash", bash("npm run build"), "npm run *", Rule("Bash", SUGGESTED, "npm run *")),
        ("Bash", bash("rm *"), None, Rule("Bash", EXACT, "rm *")),
        ("WebFetch", {"url": "http://a.b/"}, None, Rule("WebFetch", EXACT, "http://a.b/")),
        ("Write", {"file_path": "a"}, None, Rule("Write", INPUT, '{"file_path":"a"}')),
    ],
)
def test_what_always_allows(tool: str, tool_input: dict[str, Any], suggested: str | None, rule: Rule) -> None:
    assert lasting_rule(tool, tool_input, suggested) == rule
    assert is_allowed(rule, tool, tool_input)


def test_a_command_that_was_allowed_is_itself_and_no_pattern() -> None:
    for command in ("rm *", "chmod 755 *", "x:*"):
        rule = lasting_rule("Bash", bash(command), None)
        assert not is_allowed(rule, "Bash", bash(command[:-1] + "-rf /"))
        assert not is_allowed(rule, "Bash", bash(command[:-2]))


@pytest.mark.parametrize("ending", [" *", ":*"])
def test_a_prefix_covers_one_plain_command(ending: str) -> None:
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


def test_a_domain_covers_its_pages_and_none_that_look_alike() -> None:
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


def test_the_hook_goes_behind_the_users_own() -> None:
    own: dict[str, Any] = {"hooks": {"PermissionRequest": [{"matcher": "Bash"}], "Stop": [1]}, "env": {"A": "b"}}
    merged = with_hook(own, "run me")
    assert merged["env"] == {"A": "b"}
    assert merged["hooks"]["Stop"] == [1]
    first, ours = merged["hooks"]["PermissionRequest"]
    assert first == {"matcher": "Bash"}
    assert ours["hooks"][0]["command"] == "run me"
    # More milliseconds than that are no time at all to some timers.
    assert ours["hooks"][0]["timeout"] * 1000 < 2**31
    assert own["hooks"]["PermissionRequest"] == [{"matcher": "Bash"}]
    assert with_hook({"hooks": "no object"}, "x")["hooks"].keys() == {"PermissionRequest"}
