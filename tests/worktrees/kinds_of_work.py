"""What a session may leave in its worktree, as shell commands that write PRECIOUS somewhere."""

from __future__ import annotations

COMMIT = "git add --all; git commit --quiet --message Work"
WORK = {
    "changed": "echo PRECIOUS >> README",
    "untracked": "mkdir -p 'a b'; echo PRECIOUS > 'a b/ü'",
    "newline in the name": 'echo PRECIOUS > "$(printf \'a\\nb"\\\\c\')"',
    "staged, then changed": "echo PRECIOUS > README; git add README; echo other > README",
    "staged, then deleted": "echo PRECIOUS > new; git add new; rm new",
    "committed": f"echo PRECIOUS > new; {COMMIT}",
    "committed elsewhere": f"git switch --quiet --detach; echo PRECIOUS > new; {COMMIT}",
    "conflict": f"echo PRECIOUS > README; {COMMIT}; git switch --quiet --create x main; echo y > README; {COMMIT};"
    " git merge hldctl/work",
    "file instead of a directory": "rm -r sub; echo PRECIOUS > sub",
    "directory instead of a file": "rm README; mkdir README; echo PRECIOUS > README/x",
    "link": "ln -s PRECIOUS link",
    "hidden by a mark in the index": "git update-index --assume-unchanged README; echo PRECIOUS > README",
    "hidden by another mark": "git update-index --skip-worktree README; echo PRECIOUS > README",
    "hidden by attributes": "echo '* text=auto eol=lf' > .gitattributes; printf 'PRECIOUS\\r\\n' > new",
}
"""What a session may leave that needs a decision."""
QUIET = {
    "nothing": "true",
    "ignored": "mkdir build; echo PRECIOUS > build/x",
    "amended": f"echo PRECIOUS > new; {COMMIT}; git reset --quiet --hard main",
    "merged": f"echo PRECIOUS > new; {COMMIT}; git push --quiet . HEAD:refs/heads/merged",
}
"""What does not need one."""
