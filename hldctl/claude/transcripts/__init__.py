"""Transcripts, in which Claude Code keeps its conversations."""
