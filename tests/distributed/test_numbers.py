"""N ranks equal one: every row of `cases`, under every launcher, against one process of plain Keras.

`row` trains a row. The first tier has `FIRST` on two ranks, `BRIEF` on three, and one of these or two under every
other launcher; `--all` has every row in every precision. The same as a page: docs/numbers.md, see test_numbers_page.py.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np
import pytest

from tests.distributed import sabotage
from tests.distributed.cases import BOUNDS, BRIEF, CASES, FIRST, FUSED, OPTIMIZERS, SUBSET, Case
from tests.ranks import call_plain_keras, call_ranks

pytestmark = pytest.mark.timeout(900)
Arrays = dict[str, np.ndarray]
ROW = "tests.distributed.row"
ALL, MIXED = tuple(CASES), ("mixed_float16", "mixed_bfloat16")


@dataclass(frozen=True)
class Launch:
    """Which launcher, how many ranks, which rows."""

    launcher: str
    ranks: int
    cases: tuple[str, ...]
    precisions: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = {
            "none": "python",
            "horovodrun-mpi": "horovodrun --mpi",
            "horovodrun-gloo": "horovodrun --gloo",
        }
        return f"{name.get(self.launcher, self.launcher)} -np {self.ranks}"

    def rows(self) -> list[tuple[Case, str]]:
        """Return its cases, each with every precision."""
        cases = [CASES[name] for name in self.cases]
        pairs = [(case, precision) for case in cases for precision in case.precisions]
        return [pair for pair in pairs if not self.precisions or pair[1] in self.precisions]


LAUNCHES = (
    Launch("mpirun", 2, ALL),
    Launch("horovodrun-gloo", 3, ALL, ("float64", *MIXED)),  # float64 has the narrower bound
    Launch("horovodrun-mpi", 2, SUBSET),
    Launch("horovodrun-gloo", 2, SUBSET),
    Launch("mpirun", 3, SUBSET),
    Launch("mpirun", 1, SUBSET),
)
FIRST_TIER = dict(zip(LAUNCHES, (FIRST, (), BRIEF[:1], BRIEF[:2], BRIEF, BRIEF[:2]), strict=True))
"""Launch -> rows. Launches differ in nothing but the transport."""
BROKEN = Launch("mpirun", 2, ALL, ("float64", *MIXED))
# What the tests run of it: one optimizer stands for all, which differ in what they do after a reduction.
CONTROL = Launch(
    "mpirun",
    2,
    tuple(name for name in ALL if CASES[name] not in OPTIMIZERS or name in SUBSET),
    ("float64", *MIXED),
)


@dataclass(frozen=True)
class Difference:
    """How far a row's results are from those of one process.

    Attributes:
        largest: the largest of max|a - b| / max|b| over all arrays, b being one process's.
        where: the array in which.
        compared: how many arrays there were.
    """

    largest: float
    where: str
    compared: int


def difference(job: Launch, case: Case, precision: str, kind: str = "") -> Difference:
    """Return how far a row on ranks is from one process; `kind` breaks the package first, see `sabotage`."""
    return _difference(job.launcher, job.ranks, case.name, precision, kind)


@functools.cache
def _difference(launcher: str, ranks: int, name: str, precision: str, kind: str) -> Difference:
    with ThreadPoolExecutor() as beside:  # one process leaves a core free
        reference = beside.submit(expected, name, precision)
        row = (name, precision, kind)
        got = call_ranks(f"{ROW}:train_on_ranks", *row, ranks=ranks, launcher=launcher)[0]
        return compare(got, reference.result())


@functools.cache
def expected(name: str, precision: str) -> Arrays:
    """Return what one process of plain Keras gives, which cannot import `ddl`."""
    found: Arrays = call_plain_keras(f"{ROW}:train_in_plain_keras", name, precision)
    return found


def compare(got: Arrays, expected: Arrays) -> Difference:
    """Return the largest difference of two results."""
    if sorted(got) != sorted(expected):
        return Difference(float("inf"), f"names: {sorted(set(got) ^ set(expected))}", len(expected))
    gaps = {name: relative_difference(got[name], expected[name]) for name in expected}
    where = max(gaps, key=lambda name: gaps[name])
    return Difference(gaps[where], where, len(gaps))


def relative_difference(got: np.ndarray, expected: np.ndarray) -> float:
    """Return max|got - expected| / max|expected|; infinity where only one of the two is finite, or shapes differ.

    Where `expected` is zero everywhere, `got` must be too.
    """
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return float("inf")
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(expected)
    if not np.array_equal(got[~finite], expected[~finite], equal_nan=True):
        return float("inf")
    got, expected = got[finite], expected[finite]
    if not np.all(np.isfinite(got)):
        return float("inf")
    gap = np.max(np.abs(got - expected), initial=0.0)
    scale = np.max(np.abs(expected), initial=0.0)
    return float(gap / scale) if scale else (float("inf") if gap else 0.0)


def _in_first_tier(job: Launch, case: Case, precision: str) -> bool:
    if precision != case.precisions[0]:
        return job == LAUNCHES[0] and case.name in FUSED
    return case.name in FIRST_TIER[job]


def _rows() -> list[object]:
    jobs = [*LAUNCHES[1:], LAUNCHES[0]]  # the last one is what the tests below use
    return [
        pytest.param(
            *(job, case, precision),
            id=f"{job}-{case.name}-{precision}",
            marks=() if _in_first_tier(job, case, precision) else pytest.mark.proof,
        )
        for job in jobs
        for case, precision in job.rows()
    ]


def _is_control_of_first_tier(kind: str, case: Case) -> bool:
    if kind == "reduction":
        return case.name in BRIEF
    return case.name == "one sample in the last step, sync batch norm"


def _broken_rows() -> list[object]:
    return [
        pytest.param(
            *(kind, case, precision),
            id=f"{kind}-{case.name}-{precision}",
            marks=() if _is_control_of_first_tier(kind, case) else pytest.mark.proof,
        )
        for kind in sabotage.KINDS
        for case, precision in CONTROL.rows()
        if sabotage.concerns(kind, case, CONTROL.ranks)
    ]


@pytest.mark.parametrize(("job", "case", "precision"), _rows())
def test_ranks_equal_one_process(job: Launch, case: Case, precision: str) -> None:
    found = difference(job, case, precision)
    assert found.largest <= case.bound(precision), f"{found.where}: {found.largest:.2e}"
    assert found.compared > 4


@pytest.mark.parametrize(("kind", "case", "precision"), _broken_rows())
def test_a_broken_package_is_noticed(kind: str, case: Case, precision: str) -> None:
    assert difference(CONTROL, case, precision, kind).largest > case.bound(precision)


def test_every_optimizer_of_keras_has_a_row() -> None:
    known = {
        name
        for name, kind in vars(keras.optimizers).items()
        if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)
    }
    rows = {case.optimizer.replace("LossScale", "LossScaleOptimizer") for case in CASES.values()}
    assert known - {"Optimizer", "MultiOptimizer"} <= rows
    assert "Multi" in rows


def _overflowing() -> list[str]:
    return [name for name, case in CASES.items() if case.overflow]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in FIRST else pytest.mark.proof)
        for name in _overflowing()
    ],
)
def test_float16_overflowed_where_it_should(name: str) -> None:
    case, results = CASES[name], expected(name, "mixed_float16")
    scale = next(value for key, value in results.items() if "dynamic_scale" in key)
    assert scale == 2.0 ** (15 - case.epochs)
    iterations = next(v for key, v in results.items() if "iteration" in key)
    assert iterations < len(case.steps()) * case.epochs


def test_bounds_are_those_that_the_package_promises() -> None:
    exact = [case for case in CASES.values() if "compression" not in case.wire]
    assert all(not case.bounds for case in exact)
    assert BOUNDS["float64"] == 1e-10
    assert BOUNDS["float32"] == 1e-5
    assert {*BRIEF, *FUSED} <= set(SUBSET) <= set(FIRST) <= set(CASES)


def test_relative_difference_sees_what_it_must() -> None:
    one, nan = np.ones(3), np.array([1.0, np.nan, 1.0])
    assert relative_difference(one, one) == 0
    assert relative_difference(one * 1.5, one) == pytest.approx(0.5)
    assert relative_difference(nan, nan) == 0
    assert relative_difference(one, nan) == float("inf")
    assert relative_difference(nan, one) == float("inf")
    assert relative_difference(one[:2], one) == float("inf")
    assert relative_difference(one, 0 * one) == float("inf")
    assert relative_difference(one.astype("float32"), one) == float("inf")
