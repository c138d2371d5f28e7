"""The program of the presets: sends a notification about the session, permission request or budget on standard input.

It is run by its file, with nothing but the standard library, so that neither the environment nor the working directory
selects its modules. Its argument is the kind of preset; the address or URL is in a variable.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

_TIMEOUT_SECONDS = 30
# cron's PATH has no directory for system programs.
_SENDMAIL_DIRECTORIES = ("/usr/sbin", "/usr/lib")
_APPLESCRIPT = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"


def main() -> None:
    kind, target = sys.argv[1], os.environ.get("HLDCTL_PRESET_TARGET", "")
    fields = json.load(sys.stdin)
    try:
        if kind == "desktop":
            send_to_desktop(fields)
        elif kind == "mail":
            send_mail(fields, target or getpass.getuser())
        else:
            post(fields, target)
    except (OSError, subprocess.SubprocessError) as error:
        # Without the target: the URL of a webhook is usually a secret.
        sys.exit(f"{kind}: {_reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"{error.cmd[0]} exited with code {error.returncode}"
    return str(getattr(error, "reason", None) or error)


def send_to_desktop(fields: dict[str, Any]) -> None:
    # Neither query nor result: for a moment, every local user can read the arguments.
    if sys.platform == "darwin":
        command = ["osascript", "-e", _APPLESCRIPT, subject(fields), next_command(fields)]
    else:
        command = ["notify-send", "--app-name=hldctl", subject(fields), next_command(fields)]
    subprocess.run(command, check=True, timeout=_TIMEOUT_SECONDS)


def send_mail(fields: dict[str, Any], address: str) -> None:
    message = EmailMessage(policy=SMTP.clone(linesep="\n"))
    message["To"] = address
    message["Subject"] = subject(fields)
    message.set_content(body(fields), cte="quoted-printable")
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SENDMAIL_DIRECTORIES))
    if sendmail := shutil.which("sendmail", path=path):
        command, text = [sendmail, "-i", address], message.as_bytes()
    else:
        command, text = ["mail", "-s", subject(fields), address], body(fields).encode()
    subprocess.run(command, input=text, check=True, timeout=_TIMEOUT_SECONDS)


def post(fields: dict[str, Any], url: str) -> None:
    # Chat services show `text`.
    data = json.dumps({**fields, "text": f"{subject(fields)}; {next_command(fields)}"}).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "hldctl"}
    # Only http and https URLs are presets.
    request = urllib.request.Request(url, data, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310
        return


def subject(fields: dict[str, Any]) -> str:
    """Return the line that says which session or budget, and what has happened."""
    if _is_budget(fields):
        spent, limit = (f"${fields[name]:,.2f}" for name in ("spent_usd", "limit_usd"))
        return _one_line(f"hldctl: {fields['percent']} % of {fields['budget']} spent: {spent} of {limit}")
    if _is_request(fields):
        return _one_line(f"hldctl: {fields['tool_name']} needs permission in session {fields['session_id'][:8]}")
    name = fields["name"] or fields["title"]
    session = f"{name} ({fields['id'][:8]})" if name else f"session {fields['id'][:8]}"
    reason = fields["end_reason"] if fields["status"] == "failed" else None
    return _one_line(f"hldctl: {session} {fields['status']}" + (f": {reason}".replace("_", " ") if reason else ""))


def next_command(fields: dict[str, Any]) -> str:
    if _is_budget(fields):
        return "hldctl stats --budgets"
    if _is_request(fields):
        return f"hldctl approve {fields['id'][:8]}"
    return f"hldctl show {fields['id'][:8]}"


def body(fields: dict[str, Any]) -> str:
    """Return the text of a mail."""
    if _is_budget(fields):
        return f"The period ends at {fields['until']}.\n{next_command(fields)}\n"
    if _is_request(fields):
        call = json.dumps(fields["tool_input"], indent=2, ensure_ascii=False)
        return f"{fields['tool_name']}\n{call}\n\n{next_command(fields)}\n"
    parts = [fields["error_message"], fields["result_content"], f"In {fields['working_dir']}\n{next_command(fields)}"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _is_budget(fields: dict[str, Any]) -> bool:
    return "budget" in fields


def _is_request(fields: dict[str, Any]) -> bool:
    return "tool_name" in fields


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
