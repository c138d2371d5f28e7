from __future__ import annotations

from pathlib import Path

from hldctl.claude.command_line import build_command, fork_arguments, new_conversation_arguments
from hldctl.claude.settings import ClaudeSettings
from hldctl.paths import SessionFiles

FILES = SessionFiles(Path("/state/sessions/s"))
ALWAYS = [
    *("--input-format", "stream-json", "--replay-user-messages"),
    *("--output-format", "stream-json", "--verbose"),
]
MARKED = ["--settings", "/state/sessions/s/settings-with-marks.json"]


def arguments_for(resume: str | None = None, *, hooked: bool = False, **values: object) -> list[str]:
    settings = ClaudeSettings.from_values({"working_dir": "/work", **values})
    conversation = new_conversation_arguments("s", settings) if resume is None else fork_arguments(resume, "s")
    return build_command("claude", settings, FILES, conversation=conversation, hooked=hooked)


def test_prompt_is_not_in_the_arguments() -> None:
    assert arguments_for() == ["claude", "-p", "--session-id", "s", *MARKED, *ALWAYS]


def test_approvals_add_the_hook_and_keep_user_settings() -> None:
    hooked = ["--settings", "/state/sessions/s/settings-with-hook.json"]
    assert arguments_for(hooked=True)[4 : -len(ALWAYS)] == [*hooked, "--permission-mode", "default"]
    assert arguments_for(hooked=True, claude_settings={"env": {}}, permission_mode="plan")[4 : -len(ALWAYS)] == [
        *("--permission-mode", "plan"),
        *hooked,
    ]


def test_continuation_forks_the_conversation() -> None:
    assert arguments_for("p") == [
        "claude",
        "-p",
        "--resume",
        "p",
        "--fork-session",
        "--session-id",
        "s",
        *MARKED,
        *ALWAYS,
    ]


def test_changed_system_prompt_is_passed_again_when_resuming() -> None:
    assert "--system-prompt-snapshot" in arguments_for("p", fresh_system_prompt=True)
    assert "--system-prompt-snapshot" not in arguments_for(None, fresh_system_prompt=True)


def test_users_own_resume_options_are_kept() -> None:
    for extra in (("--resume", "x"), ("-c",), ("--session-id=x",)):
        assert "s" not in arguments_for(extra_arguments=extra)
        assert arguments_for(extra_arguments=extra)[-len(extra) :] == list(extra)


def test_list_option_does_not_consume_the_next_argument() -> None:
    arguments = arguments_for(additional_directories=["/a", "/b"], allowed_tools=["Read"], extra_arguments=["word"])
    assert arguments[2:7] == ["--add-dir", "/a", "/b", "--allowedTools", "Read"]
    assert arguments[7].startswith("--")
    assert arguments[-2:] == ["--verbose", "word"]


def test_system_prompt_is_passed_by_file_not_as_an_argument() -> None:
    for long in ("short", "é" * 60_000):
        arguments = arguments_for(system_prompt=long, append_system_prompt=long, custom_instructions=long)
        assert arguments[4:8] == [
            *("--system-prompt-file", str(FILES.system_prompt)),
            *("--append-system-prompt-file", str(FILES.append_system_prompt)),
        ]
        assert not [argument for argument in arguments if long in argument]
