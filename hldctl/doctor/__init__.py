"""Diagnosis and repair of hldctl's environment and state."""
