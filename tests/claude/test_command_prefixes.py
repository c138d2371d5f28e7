from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hldctl.claude.command_prefixes import covers, is_literal, is_narrow
from tests.fuzz.shells import assert_one_command, is_understood, parse_words, trace

FRAGMENTS = [
    *(
        "; touch pwned",
        "&& x",
        "|| x",
        "| sh",
        "|& x",
        "& x",
        "\n",
        "\r\n",
        "\r",
        "\t",
        "\\\n",
        "\0",
        "\x0b",
        "\x85",
        "\u2028",
    ),
    *(
        "> x",
        ">> x",
        "2>&1",
        "&> x",
        "<<E\n",
        "<<<x",
        "<(x)",
        ">(x)",
        "=(x)",
        "$(x)",
        "`x`",
        "${x}",
        "$x",
        "$'\\n'",
        "$((x))",
    ),
    *(
        "'",
        '"',
        "' '",
        '" "',
        "{a,b}",
        "(x)",
        "[x]",
        "*",
        "?",
        "~",
        "!",
        "!!",
        "#",
        " # x",
        "^a^b",
        "=",
        "a=b",
        "=~",
        "[[",
        "]]",
    ),
    *(
        " ",
        "  ",
        "\u00a0",
        "\u3000",
        "\u200b",
        "\ufeff",
        "-x",
        "--",
        "--output=x",
        "build",
        "ü",
        "if",
        "then",
        "time",
        "coproc",
        "%1",
    ),
]

WIDE = """
env|env -i|sh|sh -c|bash|bash -c|/bin/bash|zsh|dash|busybox|busybox sh|sudo|sudo -u root|doas|su|xargs
xargs -n 1|parallel|python|python3|python3.11|/usr/bin/python3|python3 -c|python3 build.py|pypy3|node
node x.js|deno|bun|ruby|perl|php|lua5.4|npx|npx foo|pnpx|bunx|uvx|pipx|ssh|ssh host|scp|rsync|docker
docker run|docker exec|docker compose|podman run|kubectl|kubectl exec|find|find .|fd|git|git -c|git -C x
git push|git fetch|git rebase|git config|git submodule|git bisect|git clone|git difftool|npm|npm exec|npm x
npm -w|pnpm dlx|yarn|yarn dlx|pip install|uv|uv run|poetry run|bundle exec|cargo|go|go run|go generate|gh
gh alias|nohup|nice|timeout|timeout 5|time|watch|setsid|stdbuf|strace|gdb|script|flock|chroot|unshare|tmux
screen|make|make test|awk|sed|sed -n|eval|exec|source|.|command|builtin|!|if|while|coproc|export|alias|declare
trap|let|{|[[|vim|less|man|tar|zip|sqlite3|psql|nc|socat|FOO=bar npm run|LD_PRELOAD=x ls|-c|SH|Python3|../sh
./sh|npm  run|npm run 'x'|npm run $x|~/x|npm run *|a;b|a b{c|hldctl|hldctl set
"""
NARROW = """
npm run|npm run build|pnpm test|yarn test|git status|git add|git commit|git log|git commit -m|ls|ls -l|cat
grep|rg|touch|mkdir|cp|rm|cargo test|cargo build|go test|docker ps|kubectl get|pytest|ruff check|mypy|tsc
eslint|./run.sh|scripts/test|gh pr|hldctl ls|echo
"""


def split_list(text: str) -> list[str]:
    return [word for line in text.strip().splitlines() for word in line.split("|")]


@pytest.mark.parametrize("prefix", split_list(WIDE))
def test_command_that_can_run_anything_has_no_prefix(prefix: str) -> None:
    assert not is_narrow(prefix)


@pytest.mark.parametrize("prefix", split_list(NARROW))
def test_command_that_names_what_it_runs_has_a_prefix(prefix: str) -> None:
    assert is_narrow(prefix)
    assert covers(prefix, prefix)
    assert covers(prefix, f"{prefix} --more 'words ; quoted' x=y *.txt") is False
    assert covers(prefix, f"{prefix} --more 'words, quoted' x=y *.txt # end")


@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=2), max_size=8).map("".join))
@settings(max_examples=400, deadline=None)
def test_covered_command_is_one_plain_command_to_a_parser(rest: str) -> None:
    for command in (rest, f"npm run{rest}", f"npm run {rest}"):
        if covers("npm run", command) and is_understood(command):
            words = parse_words(command)
            assert words is not None
            assert words[:2] == ["npm", "run"]


def test_covered_command_is_one_plain_command_to_two_shells(tmp_path: Path) -> None:
    """Each fragment is tested on its own, between plain words."""
    covered = [command for each in FRAGMENTS if covers("npm run", command := f"npm run a {each} b")]
    assert len(covered) > 20
    for command in covered:
        assert_one_command("npm run", command, tmp_path)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shells_detect_more_than_one_command(shell: str, tmp_path: Path) -> None:
    once = trace(shell, "npm run a", tmp_path)
    assert (once.called, once.made) == (["npm\trun\ta"], [])
    assert len(trace(shell, "npm run a; other b", tmp_path).called) == 2
    assert len(trace(shell, "npm run $(other b)", tmp_path).called) == 2
    assert trace(shell, "npm run > made", tmp_path).made == ["made"]
    if shell == "bash":
        assert once.commands == 1
        assert trace(shell, "npm run a; true", tmp_path).commands == 2
    for command in (
        "npm run; x",
        "npm run > x",
        "npm run $x",
        "x=1 npm run",
        "npm run 'a",
        "npm run\nx",
        "npm run `x`",
    ):
        assert parse_words(command) is None, command


@pytest.mark.parametrize(
    ("command", "is_one"), [("env *", True), ("npm run * --x", True), ("npm run  *", True), ("npm run x *", False)]
)
def test_star_in_the_command_is_not_a_wildcard(command: str, is_one: bool) -> None:
    assert is_literal(command.split(" *")[0] if is_one else "npm run", command) is is_one
