from __future__ import annotations

import pytest

from hldctl.claude.account import account_key

HOME = {"HOME": "/nonexistent/me"}
KEY = "sk-ant-api03-0123456789abcdef"


def key(**variables: str) -> str:
    return account_key(HOME | variables, None, rehearsal=None)


def test_stored_login_is_named_by_its_directory() -> None:
    assert key() == "login /nonexistent/me/.claude"
    assert key(CLAUDE_CONFIG_DIR="/nonexistent/work") == "login /nonexistent/work"


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"])
def test_keys_are_distinguished_and_never_shown(name: str) -> None:
    first, second = key(**{name: KEY}), key(**{name: KEY + "0"})
    assert first != second
    assert KEY[-8:] not in first
    assert first == key(**{name: KEY})


def test_cloud_provider_comes_first() -> None:
    variables = {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_PROFILE": "team", "ANTHROPIC_API_KEY": KEY}
    assert key(**variables) == "bedrock team /nonexistent/me/.claude"
    assert key(CLAUDE_CODE_USE_BEDROCK="") == key()


def test_host_is_part_of_the_account_without_its_password() -> None:
    assert key(ANTHROPIC_BASE_URL="https://me:secret@gateway.example:8443/v1?token=x").endswith(
        "at gateway.example:8443"
    )


def test_settings_override_the_environment() -> None:
    settings = {"env": {"ANTHROPIC_API_KEY": KEY, "OTHER": 1}}
    assert account_key(HOME, settings, rehearsal=None) == key(ANTHROPIC_API_KEY=KEY)
    assert account_key(HOME, {"apiKeyHelper": "get-key"}, rehearsal=None).startswith("key helper")


def test_each_rehearsal_is_an_account() -> None:
    assert account_key(HOME, None, rehearsal="a") != account_key(HOME, None, rehearsal="b")
