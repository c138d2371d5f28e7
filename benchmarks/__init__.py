"""Benchmarks that compare hldctl with baselines and with Claude Code's own commands, in the same run.

`python -m benchmarks` measures; `python -m benchmarks.compare` compares two results.
"""
