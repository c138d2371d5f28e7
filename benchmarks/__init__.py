"""How fast hldctl is beside its parts and its peers, all measured in the same run.

`python -m benchmarks` measures, `python -m benchmarks.compare` compares two such measurements.
"""
