"""The built wheel, installed into an empty environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hldctl.cli.app import COMMANDS
from hldctl.version import __version__

ROOT = Path(__file__).parents[1]
COMPLETIONS = {
    "bash": ("hldctl.bash", "bash-completion/completions/hldctl"),
    "zsh": ("_hldctl", "zsh/site-functions/_hldctl"),
    "fish": ("hldctl.fish", "fish/vendor_completions.d/hldctl.fish"),
}


def run(*command: str | Path, home: Path) -> str:
    environment = os.environ | {"HOME": str(home), "HLDCTL_HOME": str(home / "state")}
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def install_wheel(place: Path) -> Path:
    """Install the wheel and what it depends on, nothing else, and return the environment."""
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", place, ROOT, home=place)
    (wheel,) = place.glob("hldctl-*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", place / "venv", home=place)
    run(*pip, "--python", place / "venv", "install", wheel, home=place)
    return place / "venv"


def test_installed_wheel_has_commands_man_pages_and_completions(tmp_path: Path) -> None:
    installed = install_wheel(tmp_path)
    hldctl = installed / "bin" / "hldctl"
    assert run(hldctl, "--version", home=tmp_path).strip() == f"hldctl {__version__}"
    assert run(hldctl, "ls", "--json", home=tmp_path) == "[]\n"
    listed = run(hldctl, "--help", home=tmp_path)
    assert [name for name in COMMANDS if f"  {name} " not in listed] == []
    pages = {path.name for path in (installed / "share" / "man").rglob("*.[15]")}
    assert pages == {"hldctl.1", "hldctl-config.5", *(f"hldctl-{name}.1" for name in COMMANDS)}
    for shell, (name, place) in COMPLETIONS.items():
        script = (ROOT / "completions" / name).read_text()
        assert (installed / "share" / place).read_text() == script
        code = f"from hldctl.cli.completion import install; print(install.read_script({shell!r}), end='')"
        assert run(installed / "bin" / "python", "-c", code, home=tmp_path) == script
