"""The table `fleet` of the configuration file, and `hldctl config` for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hldctl.config import schema
from hldctl.config.fleet import Accepted, FleetSettings, Share
from hldctl.errors import BadUsage
from tests.helpers.sandbox import Sandbox

FILE = Path("/home/ada/config.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('share = "all"', 'fleet.url must be a text such as "host=db.example.org dbname=hldctl"'),
        ('url = "host=db password=x"', "fleet.url must not contain a password"),
        ('url = "host=db"\nshare = "some"', "fleet.share must be all, outline, status, not 'some'"),
        ('url = "host=db"\nteam = ""', "fleet.team must be the name of a PostgreSQL role, not ''"),
        ('url = "host=db"\nteam = 5', "fleet.team must be the name of a PostgreSQL role, not 5"),
        (f'url = "host=db"\nteam = "{"a" * 64}"', "fleet.team must be the name of a PostgreSQL role, not 'aaa"),
        ('url = "host=db"\naccept = "send"', "fleet.accept must be a list of interrupt, answer, send, set, continue"),
        ('url = "host=db"\naccept = ["launch"]', "fleet.accept contains 'launch'; it may contain interrupt, answer"),
        (
            'url = "host=db"\naccept_from = "web"',
            'fleet.accept_from must be a list of PostgreSQL roles, such as ["web"]',
        ),
        ('url = "host=db"\naccept_from = ["web", 1]', "fleet.accept_from must be the name of a PostgreSQL role, not 1"),
        (
            'url = "host=db"\nsigners = "signers"',
            "fleet.signers must be the path of a file, absolute or beginning with ~",
        ),
        ('url = "host=db"\nsigning_key = 1', "fleet.signing_key must be the path of a file"),
        ('url = "host=db"\nlisting = "yes"', "fleet.listing must be true or false, not 'yes'"),
        ('url = "host=db"\nlist = true', "fleet.list is not a key; the keys are url, share, team, accept, accept_from"),
    ],
)
def test_invalid_value_is_named(text: str, message: str) -> None:
    with pytest.raises(BadUsage) as refusal:
        schema.parse_config(FILE, f"[fleet]\n{text}")
    assert str(refusal.value).startswith(f"{FILE}: {message}")
    assert "\n" not in str(refusal.value)


def test_defaults_let_nobody_else_ask() -> None:
    settings = schema.parse_config(FILE, '[fleet]\nurl = "host=db"').fleet
    accepted = frozenset({Accepted.INTERRUPT, Accepted.ANSWER, Accepted.SET})
    assert settings == FleetSettings("host=db", Share.ALL, None, accepted, frozenset(), None, None, False)


def test_all_keys_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    settings = schema.parse_config(FILE, f"[fleet]\n{schema.KEYS['fleet'].example}\n").fleet
    assert settings is not None
    assert settings.team == "web"
    assert settings.accept == {Accepted.INTERRUPT, Accepted.ANSWER}
    assert settings.accept_from == {"web"}
    assert settings.signers == Path("/home/ada/.ssh/allowed_signers")
    assert settings.signing_key == Path("/home/ada/.ssh/id_ed25519")
    assert settings.listing


def test_keys_are_set_and_shown_one_by_one(sandbox: Sandbox) -> None:
    sandbox.configure('[fleet]\nurl = "host=db"\n')
    for key, value in (("accept", "send,set"), ("accept_from", "web"), ("listing", "true"), ("team", "7")):
        sandbox.ok("config", "set", f"fleet.{key}", value)
    settings = {each["key"]: each["value"] for each in json.loads(sandbox.ok("config", "--json"))}
    assert settings["fleet.accept"] == ["send", "set"]
    assert settings["fleet.accept_from"] == ["web"]
    assert settings["fleet.listing"] is True
    assert settings["fleet.team"] == "7"
    refused = sandbox.run("config", "set", "fleet.accept", "launch")
    assert (refused.returncode, "fleet.accept must be a list of interrupt" in refused.stderr) == (2, True)
    refused = sandbox.run("config", "set", "fleet.acept", "send")
    assert (refused.returncode, "fleet.acept is not a key" in refused.stderr) == (2, True)
    sandbox.ok("config", "unset", "fleet.accept")
    assert sandbox.ok("config", "get", "fleet.accept") == ""
    assert sandbox.ok("config", "get", "fleet.url") == "host=db\n"
