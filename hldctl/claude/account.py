"""The account that pays for a session: sessions of one account share its usage limits and its login."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

_CLOUD_PREFIX = "CLAUDE_CODE_USE_"
# What distinguishes two accounts of one cloud provider; none of it is a secret.
_CLOUD_NAMES = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "ANTHROPIC_VERTEX_PROJECT_ID", "ANTHROPIC_FOUNDRY_RESOURCE")
# In the order in which Claude Code prefers them (2.1.332).
_SECRETS = (
    ("ANTHROPIC_AUTH_TOKEN", "auth token"),
    ("ANTHROPIC_API_KEY", "API key"),
    ("CLAUDE_CODE_OAUTH_TOKEN", "OAuth token"),
)
# Enough to distinguish the keys of one user. A key has more than 200 random bits, so that 32 bits of its hash exclude
# too few of the others to find it. Without the hash, two keys used side by side would be held by one another's limits.
_FINGERPRINT_LENGTH = 8


def account_key(environment: Mapping[str, str], settings: Mapping[str, Any] | None, *, rehearsal: str | None) -> str:
    """Return a stable name of the account that a session with this environment and these Claude Code settings uses.

    It has the kind of the credential, the configuration directory, and, if set, the host of the API; never a secret.
    `rehearsal` is the session's id if it is rehearsed, else None: each rehearsal has a server, and so an account, of
    its own.
    """
    if rehearsal is not None:
        return f"rehearsal {rehearsal}"
    variables = {**environment, **_settings_environment(settings)}
    parts = [_credential(variables, settings or {}), _configuration_directory(variables)]
    if host := _host(variables.get("ANTHROPIC_BASE_URL", "")):
        parts.append(f"at {host}")
    return " ".join(parts)


def _settings_environment(settings: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the variables in --settings, which override the environment."""
    variables = (settings or {}).get("env")
    if not isinstance(variables, dict):
        return {}
    return {name: value for name, value in variables.items() if isinstance(value, str)}


def _credential(variables: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    for name, value in sorted(variables.items()):
        # An empty variable counts as not set.
        if name.startswith(_CLOUD_PREFIX) and value:
            names = [variables[each] for each in _CLOUD_NAMES if variables.get(each)]
            return " ".join([name.removeprefix(_CLOUD_PREFIX).lower(), *names])
    for name, kind in _SECRETS:
        if secret := variables.get(name):
            return f"{kind} {_fingerprint(secret)}"
        if name == "ANTHROPIC_API_KEY" and settings.get("apiKeyHelper"):
            return "key helper"
    return "login"


def _fingerprint(secret: str) -> str:
    # Imported here: a stored login, the most common one, does not need it.
    import hashlib

    return hashlib.sha256(os.fsencode(secret)).hexdigest()[:_FINGERPRINT_LENGTH]


def _configuration_directory(variables: Mapping[str, str]) -> str:
    home = variables.get("HOME") or os.path.expanduser("~")
    return os.path.realpath(variables.get("CLAUDE_CONFIG_DIR") or os.path.join(home, ".claude"))


def _host(url: str) -> str:
    """Return host and port of a URL, without the user and password that it may have."""
    return url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
