from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from hldctl.errors import ExitCode
from hldctl.protocol.launch_report import Report
from tests.fuzz.fuzz import CORPUS, corpus, find_fault, fuzz, open_bench, seeds
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS, Bench

INPUTS = {"stream": 1000, "covered_command": 100, "damaged_database": 30}
OTHERS = 300
KEPT = [pytest.param(name, path, id=f"{name}-{path.name}") for name in TARGETS for path in corpus(name)]


@pytest.fixture(scope="module")
def place() -> Iterator[Bench]:
    with open_bench() as made:
        yield made


@pytest.mark.parametrize(("name", "path"), KEPT)
def test_corpus_inputs_no_longer_fail(name: str, path: Path, place: Bench) -> None:
    assert find_fault(TARGETS[name], place, path.read_bytes()) is None


@pytest.mark.parametrize("name", TARGETS)
def test_random_inputs_break_no_property(name: str, place: Bench) -> None:
    run = fuzz(name, INPUTS.get(name, OTHERS), 1, place)
    assert [f"{failure.where}: {failure.data!r}" for failure in run.failures.values()] == []


def test_unparseable_report_is_a_failure_report() -> None:
    said = Report.from_bytes(b"Loading site packages...\n")
    assert said.exit_code == ExitCode.ENVIRONMENT
    assert said.error is not None
    assert "Loading site packages..." in said.error


def test_same_seed_gives_the_same_inputs() -> None:
    once, again, other = (Random(seed) for seed in (1, 1, 2))
    given = seeds("stream")
    made = [[mutate(chance, given) for _ in range(50)] for chance in (once, again, other)]
    assert made[0] == made[1] != made[2]


def test_corpus_is_small_and_belongs_to_existing_targets() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 300_000
