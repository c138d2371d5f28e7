"""hldctl runs Claude Code sessions in the background."""

__version__ = "0.1.0"
