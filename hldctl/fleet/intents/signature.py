"""Signatures of intents with ssh keys, made and checked by `ssh-keygen -Y` (OpenSSH 8.1 or newer).

With them, the owner of the record's database cannot ask in somebody else's name.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from hldctl.errors import UnfitEnvironment, WrongState

_NAMESPACE = "hldctl"
# A key in an agent may have to be confirmed by a touch.
_SECONDS = 60


def sign(text: str, key: Path) -> str:
    """Return the signature of a text with a private key, or with the key of an agent if `key` is a public one."""
    done = _run("-Y", "sign", "-n", _NAMESPACE, "-f", str(key), text=text)
    if done.returncode:
        raise UnfitEnvironment(f"The intent cannot be signed with {key}: {_reason(done)}")
    return done.stdout


def verify(text: str, signature: str, principal: str, signers: Path) -> None:
    """Raise WrongState unless the signature is by a key that the file `signers` allows this principal."""
    with tempfile.NamedTemporaryFile("w", suffix=".sig") as file:
        file.write(signature)
        file.flush()
        done = _run(
            *("-Y", "verify", "-n", _NAMESPACE, "-I", principal, "-f", str(signers), "-s", file.name),
            text=text,
        )
    if done.returncode:
        raise WrongState(f"The signature is not one that {signers} allows {principal}: {_reason(done)}")


def _run(*arguments: str, text: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments], input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise UnfitEnvironment("Signatures need ssh-keygen, which is not on PATH; install OpenSSH.") from None
    except subprocess.TimeoutExpired:
        raise UnfitEnvironment(f"ssh-keygen did not answer for {_SECONDS} s.") from None


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
    return lines[-1].rstrip(".") + "."
