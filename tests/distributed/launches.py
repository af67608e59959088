"""The launches that prove "N ranks equal one", each run once and its results compared with one process."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests import launch
from tests.distributed import sabotage
from tests.distributed.cases import CASES, OPTIMIZERS, SUBSET, Case

Arrays = dict[str, np.ndarray]

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}
_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Launch:
    """One job: which launcher, how many ranks, which rows."""

    launcher: str
    ranks: int
    cases: tuple[str, ...]
    sabotage: tuple[str, ...] = ()
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


ALL = tuple(CASES)
MIXED = ("mixed_float16", "mixed_bfloat16")
REFERENCES = tuple(  # side by side: one process uses one core
    Launch("none", 1, ALL, (), precisions) for precisions in (("float64",), ("float32", *MIXED))
)
LAUNCHES = (
    Launch("mpirun", 2, ALL),
    Launch("horovodrun-gloo", 3, ALL, (), ("float64", *MIXED)),  # float64 has the narrower bound
    Launch("horovodrun-mpi", 2, SUBSET),
    Launch("horovodrun-gloo", 2, SUBSET),
    Launch("mpirun", 3, SUBSET),
    Launch("mpirun", 1, SUBSET),
)
BROKEN = Launch("mpirun", 2, ALL, tuple(sabotage.KINDS), ("float64", *MIXED))
# What the tests run of it: one optimizer stands for all, which differ in what they do after a reduction.
CONTROL = Launch(
    "mpirun",
    2,
    tuple(name for name in ALL if CASES[name] not in OPTIMIZERS or name in SUBSET),
    tuple(sabotage.KINDS),
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


def compare(got: Arrays, expected: Arrays) -> Difference:
    """Return the largest difference of two results."""
    if sorted(got) != sorted(expected):
        return Difference(float("inf"), f"names: {sorted(set(got) ^ set(expected))}", len(expected))
    gaps = {name: relative_difference(got[name], expected[name]) for name in expected}
    where = max(gaps, key=lambda name: gaps[name])
    return Difference(gaps[where], where, len(gaps))


@dataclass(frozen=True)
class Outcome:
    """A launch that has ended, and the folder of its results."""

    folder: Path
    result: launch.Result

    def load(self, case: Case, precision: str, kind: str = "") -> Arrays:
        """Return a row's results.

        Raises:
            AssertionError: with the row's traceback, or the end of the launch's output where it never got there.
        """
        path = result_path(self.folder / kind, case, precision)
        if path.exists():
            with np.load(path) as arrays:
                return dict(arrays)
        text = path.with_suffix(".txt")
        why = text.read_text() if text.exists() else self.result.output[-4000:]
        raise AssertionError(f"{case.name} in {precision} gave no result:\n{why}")


def result_path(folder: Path, case: Case, precision: str) -> Path:
    """Return where a row's results are."""
    return folder / f"{list(CASES).index(case.name):02d}-{precision}.npz"


@functools.cache
def outcome(job: Launch) -> Outcome:
    """Run a launch, once a process."""
    folder = Path(tempfile.mkdtemp(prefix="ddl-numbers-", dir=_folder()))
    flags = ["--out", str(folder), *(["--reference"] if job in REFERENCES else [])]
    for flag in ("cases", "precisions", "sabotage"):
        values = getattr(job, flag)
        flags += [f"--{flag}", *values] if values else []
    program = ["-m", "tests.distributed.worker", *flags]
    return Outcome(folder, launch.run_ranks(program, job.ranks, job.launcher, _TIMEOUT_S, _QUIET))


def difference(job: Launch, case: Case, precision: str, kind: str = "") -> Difference:
    """Return how far a launch's row is from one process, running both where they have not run yet."""
    launch.require(job.launcher)
    reference = expected(case, precision)
    return compare(outcome(job).load(case, precision, kind), reference)


def expected(case: Case, precision: str) -> Arrays:
    """Return what one process of plain Keras gives."""
    job = next(job for job in REFERENCES if precision in job.precisions)
    return _references()[REFERENCES.index(job)].load(case, precision)


@functools.cache
def _references() -> tuple[Outcome, ...]:
    _folder()  # made here, once, and not by each thread
    with ThreadPoolExecutor() as pool:
        return tuple(pool.map(outcome, REFERENCES))


@functools.cache
def _folder() -> Path:
    if "DDL_NUMBERS_DIR" in os.environ:  # to be looked at afterwards
        return Path(os.environ["DDL_NUMBERS_DIR"])
    folder = Path(tempfile.mkdtemp(prefix=f"ddl-numbers-{time.strftime('%H%M%S')}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
