"""Networks that are trained on equations come as close to the solvers as docs/equations.md says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import equations
from ddl.data.equations.diffusion_map import diffusion_map
from ddl.data.equations.poisson import solve_poisson
from ddl.data.sources import open_source
from ddl.training.plan.plan import Plan

BOUNDS = {"poisson_2d": 0.02, "poisson_3d": 0.02, "burgers": 0.1}


def plan_of(case: str, folder: Path) -> Plan:
    return Plan(run_dir=folder, **equations.CASES[case])


def test_the_solver_has_no_error_and_a_straight_line_has_one(tmp_path: Path) -> None:
    plan, given = plan_of("poisson_2d", tmp_path), diffusion_map(0, (16, 16), 0)
    solution = solve_poisson(given[..., 0].astype(np.float64))
    line = np.repeat(np.linspace(1, 0, 16)[:, None], 16, axis=1)
    errors = [equations._error(plan, given, output, solution) for output in (solution, line)]
    assert errors[0] == pytest.approx(0, abs=1e-9)
    assert errors[1] > 0.05


def test_a_fine_wave_begins_as_the_sample_does(tmp_path: Path) -> None:
    plan = plan_of("burgers", tmp_path)
    [wave] = open_source("burgers", count=1, domain_size=32).read([0])["image"]
    [found] = equations.solutions(plan, wave[None], 16)
    assert found.shape == (32, 16)
    np.testing.assert_allclose(found[:, 0], wave[:, 0], atol=1e-6)
    assert 0 < found[:, -1].max() < wave.max()


@pytest.mark.long("equations")
@pytest.mark.parametrize("case", BOUNDS)
def test_a_network_comes_close_to_the_solver(case: str, tmp_path: Path) -> None:
    found = equations._run(case, tmp_path / case, None, None)
    assert np.mean(found["errors"]["training"]) <= BOUNDS[case]


@pytest.mark.long("equations")
def test_second_order_methods_need_a_tenth_of_the_epochs(tmp_path: Path) -> None:
    found: dict[str, Any] = equations.compare_optimizers(tmp_path, 600, (1e-2, 3e-3))
    adam = min(run["loss"][-1] for name, run in found.items() if name.startswith("adam"))
    assert len(found["l-bfgs"]["loss"]) <= 60
    assert found["l-bfgs"]["loss"][-1] <= adam
