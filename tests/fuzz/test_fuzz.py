from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from hldctl.errors import ExitCode
from hldctl.protocol.launch_report import LaunchReport
from tests.fuzz.fuzz import CORPUS, corpus, find_fault, fuzz, open_bench, seeds
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS, Bench

INPUTS = {"stream": 1000, "covered_command": 100, "damaged_database": 30}
OTHERS = 300
KEPT = [pytest.param(name, path, id=f"{name}-{path.name}") for name in TARGETS for path in corpus(name)]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with open_bench() as opened:
        yield opened


@pytest.mark.parametrize(("name", "path"), KEPT)
def test_corpus_inputs_no_longer_fail(name: str, path: Path, bench: Bench) -> None:
    assert find_fault(TARGETS[name], bench, path.read_bytes()) is None


@pytest.mark.parametrize("name", TARGETS)
def test_random_inputs_break_no_property(name: str, bench: Bench) -> None:
    run = fuzz(name, INPUTS.get(name, OTHERS), 1, bench)
    assert [f"{failure.where}: {failure.data!r}" for failure in run.failures.values()] == []


def test_unparseable_report_is_a_failure_report() -> None:
    report = LaunchReport.from_bytes(b"Loading site packages...\n")
    assert report.exit_code == ExitCode.ENVIRONMENT
    assert report.error is not None
    assert "Loading site packages..." in report.error


def test_same_seed_gives_the_same_inputs() -> None:
    once, again, other = (Random(seed) for seed in (1, 1, 2))
    seed_inputs = seeds("stream")
    inputs = [[mutate(chance, seed_inputs) for _ in range(50)] for chance in (once, again, other)]
    assert inputs[0] == inputs[1] != inputs[2]


def test_corpus_is_small_and_belongs_to_existing_targets() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 300_000
