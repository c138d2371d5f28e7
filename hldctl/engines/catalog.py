"""The engines by name."""

from __future__ import annotations

from hldctl.engines import slurm
from hldctl.engines.engine import Engine, EngineName


def engine(name: EngineName) -> Engine:
    return _ENGINES[name]()


def is_here(name: EngineName) -> bool:
    """Return whether this machine has the commands of an engine."""
    return _ARE_HERE[name]()


_ENGINES = {EngineName.SLURM: slurm.Slurm}
_ARE_HERE = {EngineName.SLURM: slurm.is_here}
