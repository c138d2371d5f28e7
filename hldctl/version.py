"""The version of hldctl."""

__version__ = "0.1.0"
