"""Train on equations, and compare what the models say with solvers.

    python benchmarks/equations.py poisson_2d poisson_3d burgers second_order --folder runs/equations --pictures docs

Each case is a plan that `scripts/train_unet.py` takes as flags; the command is printed. The comparison goes into
FOLDER/CASE.json, and a picture into the folder given by --pictures. docs/equations.md shows the results.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import ddl.distributed as dist
from ddl.data.equations.burgers import solve_burgers
from ddl.data.equations.poisson import poisson_energy, solve_poisson
from ddl.files import write_whole
from ddl.training.data.training_data import open_data
from ddl.training.plan.plan import Plan
from ddl.training.plan.plan_flags import command_line
from ddl.training.record.figure import draw_columns, new_figure

_FINER = 16
"""Steps of the grid that a wave is solved on, for one of the network's."""

_COMMON: dict[str, Any] = {
    "metric": (),
    "tensorboard": False,
    "learning_rate_scaling": "none",
    "warmup_epochs": 0,
    "schedule": "cosine",
    "monitor": "loss",
    "checkpoint_every_epochs": 0,
    "keep_best": 0,
    "validate_every_epochs": 50,
}
_NETWORK = {"norm": "group", "transposed": False, "output": "linear"}
CASES: dict[str, dict[str, Any]] = {
    "poisson_2d": _COMMON
    | {
        "data": "diffusion-maps",
        "data_option": {"count": 5},
        "image_size": (32, 32),
        "validation_part": 0.2,
        "loss": "poisson_2d",
        "learning_rate": 5e-3,
        "epochs": 3000,
        "model_option": {**_NETWORK, "depth": 3, "width": 16},
    },
    "poisson_3d": _COMMON
    | {
        "data": "diffusion-maps-3d",
        "data_option": {"count": 3},
        "image_size": (16, 16),
        "validation_part": 0.3,
        "loss": "poisson_3d",
        "learning_rate": 1e-2,
        "epochs": 3500,
        "model_option": {**_NETWORK, "depth": 2, "width": 8},
    },
    "burgers": _COMMON
    | {
        "data": "burgers",
        "data_option": {
            "domain_size": 32,
            "count": 64,
            "validation_count": 8,
            "bc_frequency": (1.0, 2.0),
            "waves": 2,
        },
        "loss": "burgers",
        "loss_option": {"diffusion_coeff": 0.01, "boundary_factor": 8.0},
        "per_rank_batch_size": 16,
        "learning_rate": 2e-3,
        "epochs": 3000,
        "model": "network",
        "model_option": {"file": str(Path(__file__).with_name("burgers_network.json"))},
    },
}


def train_case(plan: Plan) -> list[dict[str, Any]]:
    """Train, and return the history. Prints the command that does the same."""
    from ddl.training.loop import train

    sys.stderr.write(f"{command_line(plan, 1)}\n")
    return train(plan)


def judge(plan: Plan) -> dict[str, Any]:
    """Compare the outputs of a trained model with a solver, for its training and its validation samples.

    Returns:
        "training" and "validation" -> an error for each sample: of the energy for Poisson's equation, relative to the
        solver's; for Burgers' the relative L2 error against the solution on a grid 16 times as fine.
    """
    data = open_data(plan)
    errors = {}
    for name, samples in (("training", data.training), ("validation", data.validation)):
        inputs = samples.read(np.arange(len(samples)))["image"]
        outputs = outputs_of(plan, inputs)
        solved = solutions(plan, inputs, outputs.shape[-1])
        pairs = list(zip(inputs, outputs, solved, strict=True))
        errors[name] = [_error(plan, *pair) for pair in pairs]
    return {name: [round(error, 5) for error in found] for name, found in errors.items()}


def outputs_of(plan: Plan, inputs: np.ndarray) -> np.ndarray:
    """Return what the trained model makes of inputs, with the faces that the loss replaces."""
    import keras

    model = keras.models.load_model(plan.run_dir / "model.keras", compile=False)
    outputs = np.concatenate([np.asarray(model(inputs[k : k + 1])) for k in range(len(inputs))])
    if plan.loss != "burgers":
        outputs[:, 0], outputs[:, -1] = 1, 0
    return outputs[..., 0]


def solutions(plan: Plan, inputs: np.ndarray, times: int = 0) -> list[np.ndarray]:
    """Return the solver's solution for each input; of a wave at so many times."""
    if plan.loss != "burgers":
        return [solve_poisson(nu[..., 0].astype(np.float64)) for nu in inputs]
    nu = plan.loss_option["diffusion_coeff"]
    return [_fine_wave(wave.reshape(len(wave), -1)[:, 0], nu, times) for wave in inputs]


def _fine_wave(start: np.ndarray, nu: float, times: int) -> np.ndarray:
    """Return the solution at the network's places and times; what lies between the places of b is a cubic spline."""
    from scipy.interpolate import CubicSpline

    places = len(start)
    fine = np.linspace(0, 1, (places - 1) * _FINER + 1)
    between = CubicSpline(np.linspace(0, 1, places), start)(fine)
    return solve_burgers(between, nu, np.linspace(0, 1, times))[::_FINER]


def _error(plan: Plan, given: np.ndarray, output: np.ndarray, solution: np.ndarray) -> float:
    if plan.loss == "burgers":
        return float(np.linalg.norm(output - solution) / np.linalg.norm(solution))
    nu = given[..., 0].astype(np.float64)
    return poisson_energy(nu, output) / poisson_energy(nu, solution) - 1


def draw_case(plan: Plan, path: Path) -> None:
    """Draw two training samples and two for validation: input, output, the solver's solution, and the difference."""
    data = open_data(plan)
    parts = [
        samples.read(np.arange(min(2, len(samples))))
        for samples in (data.training, data.validation)
    ]
    inputs = np.concatenate([part["image"] for part in parts])
    outputs = outputs_of(plan, inputs)
    solved = np.stack(solutions(plan, inputs, outputs.shape[-1]))
    columns = {"input": inputs[..., 0], "network": outputs, "solver": solved}
    columns["difference"] = outputs - solved
    draw_columns({name: values[..., None] for name, values in columns.items()}, path)


SECOND_ORDER: dict[str, Any] = {
    "metric": (),
    "tensorboard": False,
    "checkpoint_every_epochs": 0,
    "validate_every_epochs": 100,
    "monitor": "loss",
    "data": "diffusion-maps",
    "data_option": {"count": 10},
    "image_size": (16, 16),
    "validation_part": 0.2,
    "loss": "poisson_2d",
    "keep_best": 0,
    "model_option": {**_NETWORK, "depth": 2, "width": 4},
}
"""The small problem on which optimizers are compared: 8 maps of 16x16 nodes, and a network of some thousand weights."""


def compare_optimizers(folder: Path, epochs: int, rates: tuple[float, ...]) -> dict[str, Any]:
    """Train the small problem with Adam at some rates, and with both second-order methods in a tenth of its epochs.

    Returns:
        name -> losses by epoch, and passes over the samples by epoch.
    """
    adam = {"optimizer": "adam", "learning_rate_scaling": "none", "warmup_epochs": 0}
    runs: dict[str, dict[str, Any]] = {
        f"adam, rate {rate:g}": adam | {"learning_rate": rate, "epochs": epochs} for rate in rates
    }
    for method in ("newton-cg", "l-bfgs"):
        option = {"optimizer_option": {"method": method}}
        runs[method] = {"optimizer": "hessian", **option, "epochs": max(1, epochs // 10)}
    found = {}
    for name, fields in runs.items():
        run_dir = folder / name.replace(", ", "_").replace(" ", "_")
        history = train_case(Plan(run_dir=run_dir, **SECOND_ORDER | fields))
        found[name] = {"loss": [e["loss"] for e in history], "passes": _passes(history)}
    return found


def _passes(history: list[dict[str, Any]]) -> list[float]:
    """Return the passes over all samples up to each epoch; a product counts as two, which it about takes."""
    costs = [epoch.get("evaluations", 1) + 2 * epoch.get("products", 0) for epoch in history]
    return np.cumsum(costs).astype(float).tolist()


def draw_comparison(
    found: Mapping[str, Mapping[str, list[float]]], least: float, path: Path
) -> None:
    """Draw each optimizer's distance from the least possible loss, by epoch and by passes over the samples."""
    with new_figure(path, 900, 320) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for name, run in found.items():
            distance = np.array(run["loss"]) / least - 1
            panels[0].loglog(np.arange(1, len(distance) + 1), distance, label=name)
            panels[1].loglog(run["passes"], distance, label=name)
        panels[0].set(xlabel="epoch", ylabel="energy above the solver's")
        panels[1].set(xlabel="passes over all samples")
        for panel in panels:
            panel.xaxis.set_major_formatter("{x:g}")
            panel.yaxis.set_major_formatter("{x:g}")
        panels[1].legend(loc="upper right")


def least_energy(plan: Plan) -> float:
    """Return the mean energy of the solver's solutions for the training samples."""
    samples = open_data(plan).training
    maps = samples.read(np.arange(len(samples)))["image"][..., 0].astype(np.float64)
    return float(np.mean([poisson_energy(nu, solve_poisson(nu)) for nu in maps]))


def main(argv: list[str] | None = None) -> None:
    """Run the cases that are named."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("cases", nargs="+", choices=[*CASES, "second_order"])
    parser.add_argument("--folder", type=Path, required=True, help="for the run directories")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures")
    parser.add_argument("--epochs", type=int, help="in place of the case's")
    given = parser.parse_args(argv)
    dist.init()
    for case in given.cases:
        result = _run(case, given.folder / case, given.epochs, given.pictures)
        text = json.dumps(result, indent=1) + "\n"
        path = given.folder / f"{case}.json"
        write_whole(path, lambda partial, text=text: partial.write_text(text))


def _run(case: str, folder: Path, epochs: int | None, pictures: Path | None) -> dict[str, Any]:
    if case == "second_order":
        found = compare_optimizers(folder, epochs or 600, (3e-2, 1e-2, 3e-3))
        least = least_energy(Plan(run_dir=folder, **SECOND_ORDER))
        if pictures is not None:
            draw_comparison(found, least, pictures / "second_order.png")
        return {"least": least, **found}
    plan = Plan(run_dir=folder, **CASES[case] | ({"epochs": epochs} if epochs else {}))
    history = train_case(plan)
    errors = judge(plan)
    if pictures is not None:
        draw_case(plan, pictures / f"{case}.png")
    seconds = round(sum(epoch["seconds"] for epoch in history), 1)
    sys.stderr.write(f"{case}: {errors} after {len(history)} epochs and {seconds} s.\n")
    return {"command": command_line(plan, 1), "seconds": seconds, "errors": errors}


if __name__ == "__main__":
    main()
