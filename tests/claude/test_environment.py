from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hldctl.claude.environment import add_session_variables, session_environment
from hldctl.claude.input_messages import VARIABLES
from tests.helpers.sandbox import eventually

OURS = {"HLDCTL_HOME": "/state", "HLDCTL_SESSION_ID": "s", "HLDCTL_RUN_ID": "r"} | VARIABLES


def environment(launcher: dict[str, str], chosen: dict[str, str] | None = None) -> dict[str, str]:
    return session_environment(launcher, chosen or {}, session_id="s", run_id="r", state_directory=Path("/state"))


def test_environment_is_the_launchers_plus_the_chosen_variables() -> None:
    result = environment({"A": "1", "B": "2", "CLAUDE_CODE_USE_BEDROCK": "1"}, {"B": "3"})
    assert result == {"A": "1", "B": "3", "CLAUDE_CODE_USE_BEDROCK": "1"} | OURS


def test_session_markers_win_over_chosen_variables() -> None:
    chosen = {"HLDCTL_SESSION_ID": "x", "HLDCTL_RUN_ID": "x", "HLDCTL_HOME": "/x"}
    assert environment({}, chosen) == OURS


def test_tools_do_not_get_a_commands_token() -> None:
    token = {"HLDCTL_COMMAND_TOKEN": "secret"}
    assert "HLDCTL_COMMAND_TOKEN" not in environment(token)
    assert "HLDCTL_COMMAND_TOKEN" not in environment({}, token)


def test_session_markers_win_in_settings_and_user_variables_stay() -> None:
    own = {"env": {"A": "b", "HLDCTL_SESSION_ID": "x"}, "hooks": {}}
    assert add_session_variables(own, {"HLDCTL_SESSION_ID": "s"}) == {
        "env": {"A": "b", "HLDCTL_SESSION_ID": "s"},
        "hooks": {},
    }
    assert own == {"env": {"A": "b", "HLDCTL_SESSION_ID": "x"}, "hooks": {}}
    assert (
        add_session_variables({"env": "no object"}, {"A": "b"})
        == add_session_variables(None, {"A": "b"})
        == {"env": {"A": "b"}}
    )


def test_variables_of_an_enclosing_claude_code_are_dropped() -> None:
    with subprocess.Popen(["sleep", "60"], env={"CLAUDE_CODE_USE_BEDROCK": "1"}) as enclosing:
        nested = {
            "CLAUDECODE": "1",
            "CLAUDE_CODE_SESSION_ID": "outer",
            "CLAUDE_PID": str(enclosing.pid),
            "CLAUDE_CODE_USE_BEDROCK": "1",
            "CLAUDE_CODE_A_NOVELTY": "1",
            "HLDCTL_SESSION_ID": "outer",
        }
        eventually(Path(f"/proc/{enclosing.pid}/environ").read_bytes, "its environment")
        result = environment(nested)
        enclosing.kill()
    assert {name for name in result if name.startswith("CLAUDE")} == {"CLAUDE_CODE_USE_BEDROCK", *VARIABLES}
    assert result["HLDCTL_SESSION_ID"] == "s"


def test_without_enclosing_claude_code_only_known_names_are_dropped() -> None:
    assert "CLAUDE_CODE_A_NOVELTY" in environment({"CLAUDE_CODE_A_NOVELTY": "1", "CLAUDE_PID": str(os.getpid())})
