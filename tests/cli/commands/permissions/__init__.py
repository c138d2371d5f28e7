"""Tests of the commands that answer permission requests."""
