"""Fuzzer for the stream decoder and for each reader of hldctl's own files.

`python -m tests.fuzz.fuzz --inputs 1000000 --seed 1` prints the number of inputs and each kind of failure, saves an
input of each kind in the directory of `--save`, and exits with 1 if there was a failure. tests/fuzz/corpus contains
inputs worth keeping.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import hldctl
from hldctl.ingest.reducer import Reducer
from hldctl.ingest.state import ReducerState
from tests.fixtures.streams.expected import split_lines
from tests.fixtures.streams.record import indexes
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import ARRIVED, TARGETS, Bench, Target

CORPUS = Path(__file__).parent / "corpus"
# Shares of the inputs; each other target has a share of 1.
_SHARES = {"stream": 4}
_MINIMIZING_TRIES = 300
_PACKAGE = str(Path(hldctl.__file__).parent)


@dataclass
class Failure:
    target: str
    where: str
    """The kind of the failure; two inputs that fail at the same place have the same kind."""
    data: bytes


@dataclass
class Run:
    target: str
    inputs: int = 0
    seconds: float = 0.0
    failing: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)


@contextmanager
def open_bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        try:
            yield bench
        finally:
            bench.close()


def corpus(target: str) -> list[Path]:
    return sorted((CORPUS / target).iterdir())


def seeds(target: str) -> list[bytes]:
    """Return the inputs of the corpus, and those made from the recorded streams."""
    inputs = [path.read_bytes() for path in corpus(target)]
    recorded = [index.stream(name).read_bytes() for index in indexes() for name in index.streams]
    if target == "stream":
        return inputs + recorded
    if target == "fold_state":
        return inputs + [_state_after(stream) for stream in recorded]
    return inputs


def _state_after(stream: bytes) -> bytes:
    fold = Reducer("session", ReducerState())
    for line in split_lines(stream):
        fold.apply(line, ARRIVED)
    return json.dumps(fold.state.as_json()).encode()


def find_fault(target: Target, bench: Bench, data: bytes) -> str | None:
    """Return where and how the target fails on these bytes; None if it does not."""
    try:
        target(bench, data)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        frame = ([frame for frame in frames if frame.filename.startswith(_PACKAGE)] or frames)[-1]
        return f"{type(error).__name__} in {Path(frame.filename).name}:{frame.name}: {frame.line}"
    return None


def fuzz(name: str, inputs: int, seed: int, bench: Bench) -> Run:
    """Run the target with N inputs made from its seeds; the same number gives the same inputs."""
    chance, seed_inputs, target = random.Random(f"{seed} {name}"), seeds(name), TARGETS[name]
    run, started = Run(name), time.monotonic()
    for _ in range(inputs):
        data = mutate(chance, seed_inputs)
        run.inputs += 1
        if (where := find_fault(target, bench, data)) is not None:
            run.failing += 1
            if where not in run.failures:
                run.failures[where] = Failure(name, where, minimize(target, bench, data, where))
    run.seconds = time.monotonic() - started
    return run


def minimize(target: Target, bench: Bench, data: bytes, where: str) -> bytes:
    """Return a smaller input that fails in the same way."""
    tries, size = 0, max(1, len(data) // 2)
    while tries < _MINIMIZING_TRIES:
        start = 0
        while start < len(data) and tries < _MINIMIZING_TRIES:
            tries += 1
            shorter = data[:start] + data[start + size :]
            if find_fault(target, bench, shorter) == where:
                data = shorter
            else:
                start += size
        if size == 1:
            break
        size //= 2
    return data


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="total number of inputs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=TARGETS, help="run only this target")
    parser.add_argument("--save", type=Path, metavar="DIRECTORY", help="write failing inputs to this directory")
    options = parser.parse_args()
    names = [options.target] if options.target else list(TARGETS)
    shares = {name: _SHARES.get(name, 1) for name in names}
    runs = []
    for name in names:
        with open_bench() as bench:
            runs.append(fuzz(name, options.inputs * shares[name] // sum(shares.values()), options.seed, bench))
        _print(runs[-1], options.save)
    inputs, kinds = sum(run.inputs for run in runs), sum(len(run.failures) for run in runs)
    print(f"seed {options.seed}: {inputs} inputs, {kinds} kinds of failures")
    return 1 if any(run.failures for run in runs) else 0


def _print(run: Run, save: Path | None) -> None:
    rate = run.inputs / run.seconds if run.seconds else 0
    counts = f"{run.failing} failed"
    print(f"{run.target}: {run.inputs} inputs in {run.seconds:.0f} s ({rate:.0f}/s), {counts}", flush=True)
    for number, failure in enumerate(run.failures.values(), 1):
        print(f"  {failure.where}\n    {failure.data[:300]!r}", flush=True)
        if save is not None:
            (save / run.target).mkdir(parents=True, exist_ok=True)
            (save / run.target / f"found-{number}").write_bytes(failure.data)


if __name__ == "__main__":
    sys.exit(main())
