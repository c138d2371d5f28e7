"""Admission: which sessions may start, and what the others wait for."""
