"""A whole run, as it is kept in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.metric import Metric


class InvalidResult(Exception):
    """A file that holds no measurement; the message names it."""


@dataclass(frozen=True)
class Result:
    machine: dict[str, str]
    """Where, when and with which versions: what to name it, and its value."""
    figures: tuple[Metric, ...]

    def write(self, path: Path) -> None:
        fields: dict[str, Any] = {"machine": self.machine, "figures": [figure.as_json() for figure in self.figures]}
        path.write_text(json.dumps(fields, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Result:
        """Raises NoMeasurement if the file cannot be read or holds something else."""
        try:
            fields = json.loads(path.read_text())
            return cls(fields["machine"], tuple(map(Metric.from_json, fields["figures"])))
        except OSError as error:
            raise InvalidResult(f"{path} cannot be read: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError):
            raise InvalidResult(f"{path} holds no measurement; `python -m benchmarks --output` writes one.") from None
