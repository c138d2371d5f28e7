"""The result of a run, and its JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.metric import Metric


class InvalidResult(Exception):
    """Raised for a file that cannot be read or is not a result; the message names the file."""


@dataclass(frozen=True)
class Result:
    machine: dict[str, str]
    """Labels and values that describe the machine, the time and the versions."""
    metrics: tuple[Metric, ...]

    def write(self, path: Path) -> None:
        fields: dict[str, Any] = {"machine": self.machine, "figures": [metric.as_json() for metric in self.metrics]}
        path.write_text(json.dumps(fields, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Result:
        """Read the file. Raise InvalidResult if it cannot be read or is not a result."""
        try:
            fields = json.loads(path.read_text())
            return cls(fields["machine"], tuple(map(Metric.from_json, fields["figures"])))
        except OSError as error:
            raise InvalidResult(f"Cannot read {path}: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError):
            raise InvalidResult(f"{path} is not a result; `python -m benchmarks --output` writes one.") from None
