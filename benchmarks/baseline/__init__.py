"""Minimal programs that hldctl is compared with."""
