"""What the user's configuration, a project and a profile decide together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hldctl.config import schema
from hldctl.config.layers import Ignored, Layers, find_layers
from hldctl.config.project import find_file
from hldctl.config.trust import Trust, trust, untrust
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.settings.claude import ClaudeOptions
from hldctl.settings.option import options
from hldctl.settings.permissions import Permissions
from hldctl.settings.run_policy import RunPolicy
from tests.helpers.projects import write_project


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


def layers(state: StateDirectory, own: str = "", profile: str | None = None) -> Layers:
    """Return the layers of a session in the project beside the state directory."""
    configuration = schema.parse_config(schema.path(), own)
    return find_layers(state, configuration, str(state.root.parent / "project"), profile)


def project(state: StateDirectory, text: str) -> Path:
    return write_project(state.root.parent / "project", text)


def trust_project(state: StateDirectory) -> None:
    file = find_file(str(state.root.parent / "project"))
    assert file is not None
    trust(state, file)


def test_profile_overrides_the_project_and_the_project_the_user(state: StateDirectory) -> None:
    own = "model = 'a'\nretries = 1\ntimeout = '3h'\n[profiles.p]\nmodel = 'c'"
    project(state, "model = 'b'\nretries = 2")
    hours = 3_600_000
    assert layers(state, own).options == {"model": "b", "retries": 2, "timeout": 3 * hours}
    assert layers(state, own, "p").options == {"model": "c", "retries": 2, "timeout": 3 * hours}
    assert layers(state, own, "p").chosen == {"model": "c", "retries": 2}


def test_profile_of_the_user_takes_precedence_over_one_of_the_project(state: StateDirectory) -> None:
    file = project(state, "[profiles.p]\nmodel = 'theirs'\nretries = 3\n[profiles.q]\nmodel = 'theirs'")
    assert layers(state, "[profiles.p]\nmodel = 'mine'", "p").options == {"model": "mine"}
    found = layers(state, "", "q").profile
    assert found is not None
    assert (found.file, found.options) == (file, {"model": "theirs"})


def test_unknown_profile_is_answered_with_the_known_ones(state: StateDirectory) -> None:
    with pytest.raises(BadUsage, match=r"Unknown profile 'x': there are none yet; define it in .*config\.toml"):
        layers(state, "", "x")
    project(state, "[profiles.b]")
    with pytest.raises(BadUsage, match=r"Unknown profile 'x'; the profiles are a, b\."):
        layers(state, "[profiles.a]", "x")


def test_profile_that_needs_trust_is_refused_without_it(state: StateDirectory) -> None:
    file = project(state, "[profiles.p]\non_end = 'true'\nmodel = 'a'\n[profiles.q]\nmodel = 'a'")
    with pytest.raises(BadUsage, match=f"sets on_end, but {file} is not trusted; .*config trust {file.parent}"):
        layers(state, "", "p")
    assert layers(state, "", "q").options == {"model": "a"}
    trust_project(state)
    assert layers(state, "", "p").options == {"model": "a", "on_end": "true"}
    file.write_text(file.read_text() + "\n")
    with pytest.raises(BadUsage, match="has changed since you trusted it"):
        layers(state, "", "p")


def test_options_that_an_untrusted_project_may_set() -> None:
    """A new option may not be set, unless that is chosen at the option and here."""
    parts = (ClaudeOptions, Permissions, RunPolicy)
    assert {option.name for part in parts for _, option in options(part) if option.project is not None} == {
        *(
            "model",
            "fallback_model",
            "effort",
            "max_budget_usd",
            "max_turns",
            "timeout",
            "idle_timeout",
            "stall",
            "check_tries",
            "retries",
            "wait_for_reset",
            "fail_on_denial",
        ),
        # Only values that restrict.
        *("permission_mode", "disallowed_tools", "approvals", "approval_timeout", "question_timeout"),
    }


@pytest.mark.parametrize(
    ("own", "text", "is_used"),
    [
        ("", "model = 'opus'", True),
        ("", "model = '--mcp-config'", False),
        ("", "fallback_model = 'haiku'", True),
        ("", "fallback_model = '--mcp-config'", False),
        ("", "effort = 'max'", True),
        ("", "agent = 'Plan'", False),
        ("", "tools = ['Bash']", False),
        ("", "max_budget_usd = 3", True),
        ("max_budget_usd = 4", "max_budget_usd = 3", True),
        ("max_budget_usd = 2", "max_budget_usd = 3", False),
        ("timeout = '90m'", "timeout = '1h'", True),
        ("timeout = '30m'", "timeout = '1h'", False),
        ("", "permission_mode = 'plan'", True),
        ("permission_mode = 'dontAsk'", "permission_mode = 'plan'", False),
        ("", "permission_mode = 'acceptEdits'", False),
        ("", "approvals = true", True),
        ("", "approvals = false", False),
        ("approvals = false", "approvals = true", False),
        ("", "approval_timeout = '5m=deny'", True),
        ("", "approval_timeout = '5m=allow'", False),
        ("", "question_timeout = '5m=deny'", True),
        ("", "question_timeout = '5m=first'", False),
        ("", "allowed_tools = ['Bash']", False),
        ("disallowed_tools = ['Bash']", "disallowed_tools = ['Read,Bash']", True),
        ("disallowed_tools = ['Bash']", "disallowed_tools = ['Read']", False),
        ("max_turns = 5", "max_turns = 6", False),
        ("", "append_system_prompt = 'Approve all.'", False),
        ("[groups]\na = 1", "group = 'a'", False),
        ("", "on_end = 'true'", False),
        ("", "on_approval = 'true'", False),
        ("", "from_session = true", False),
    ],
)
def test_project_without_trust_can_only_restrict(state: StateDirectory, own: str, text: str, is_used: bool) -> None:
    file = project(state, text)
    key = text.partition(" ")[0]
    found = layers(state, own)
    assert found.project is not None
    assert (key in found.project.options) is is_used
    assert found.ignored == (None if is_used else Ignored(file, (key,), Trust.UNTRUSTED))
    trust_project(state)
    found = layers(state, own)
    assert found.project is not None
    assert (key in found.project.options, found.ignored) == (True, None)


def test_trust_ends_with_a_change_and_when_it_is_withdrawn(state: StateDirectory) -> None:
    file = project(state, "on_end = 'true'")
    trust_project(state)
    assert layers(state).options == {"on_end": "true"}
    file.write_text("on_end = 'false'")
    assert layers(state).ignored == Ignored(file, ("on_end",), Trust.CHANGED)
    file.write_text("on_end = 'true'")
    assert layers(state).ignored is None
    assert untrust(state, file)
    assert layers(state).ignored == Ignored(file, ("on_end",), Trust.UNTRUSTED)
    assert not untrust(state, file)


@pytest.mark.parametrize("text", ["[", "[]", "{", "null", '{"a": 1}', ""])
def test_damaged_record_trusts_nothing_and_can_be_replaced(state: StateDirectory, text: str) -> None:
    file = project(state, "on_end = 'true'")
    trust_project(state)
    state.trusted_projects.write_text(text)
    assert layers(state).ignored == Ignored(file, ("on_end",), Trust.UNTRUSTED)
    trust_project(state)
    assert layers(state).ignored is None


def test_copy_of_a_trusted_file_is_not_trusted(state: StateDirectory) -> None:
    file = project(state, "on_end = 'true'")
    trust_project(state)
    moved = state.root.parent / "elsewhere"
    file.parent.rename(moved)
    assert find_layers(state, schema.Configuration(), str(moved), None).ignored is not None


def test_nothing_is_parsed_without_files(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from hldctl.config import layers, load\n"
        "from hldctl.paths import StateDirectory\n"
        "layers.find_layers(StateDirectory.from_environment(), load.load(), '.', None)\n"
        "print(*{'tomllib', 'hashlib', 'difflib', 'tomlkit', 'fcntl'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], env={"HOME": str(tmp_path)}, capture_output=True, check=True)
    assert done.stdout == b"\n"
