"""A project with settings of its own."""

from __future__ import annotations

from pathlib import Path

from hldctl.config.project import FILE_NAME


def write_project(directory: Path, text: str = "") -> Path:
    """Write the directory's `.hldctl.toml`, and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / FILE_NAME
    file.write_text(text)
    return file
