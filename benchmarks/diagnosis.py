"""Make runs that are ill and runs that are well, and count how many the diagnosis names.

    python benchmarks/diagnosis.py runs/diagnosis              all of benchmarks/diagnosis_cases.py
    python benchmarks/diagnosis.py runs/diagnosis --only adam_rate_0.1 --fixtures tests/experiments/diagnosis/runs

A run that is there already is not made again. The table goes into docs/diagnosis.md. It takes six minutes on two quiet
cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from benchmarks.diagnosis_cases import FRESH, ILL, WELL, Case
from benchmarks.diagnosis_data import DATA
from ddl.experiments.diagnosis.diagnose import diagnose
from ddl.experiments.diagnosis.evidence import Evidence, compact, evidence_of_run
from ddl.files import write_whole

PROBE = 64


def make_run(case: Case, folder: Path) -> None:
    """Train a case into a run directory, unless it is there. A run that diverges is one, too."""
    if (folder / "done").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    import ddl.distributed as dist
    from ddl.models.zoo import MODELS, add_model
    from ddl.training.data.training_data import TrainingData
    from ddl.training.loop import train
    from ddl.training.plan.plan import Plan
    from ddl.training.stops import Diverged

    if "plain_net" not in MODELS:
        add_model("plain_net", build_net, "label")
    dist.init()
    data = TrainingData(*DATA[case.data](case.seed, **case.options))
    defaults: dict[str, Any] = {
        "run_dir": folder, "data": "arrays", "seed": case.seed, "probe": PROBE, "tensorboard": False, "jit": "false",
        "epochs": 10, "warmup_epochs": 0, "per_rank_batch_size": 16, "log_every_s": 60, "keep_best": 0, "keep_last": 1,
    }  # fmt: skip
    if data.classes > 1:
        defaults |= {"loss": "categorical_crossentropy", "metric": ("top_1",)}
    try:
        train(Plan(**(defaults | case.fields)), data)
    except Diverged as error:
        sys.stdout.write(f"{error}\n")
    (folder / "done").touch()


def build_net(
    input_shape: Any,
    *,
    classes: int,
    depth: int = 3,
    width: int = 32,
    activation: str = "relu",
    norm: bool = False,
    scale: float = 1.0,
    bias: float = 0.0,
    ending: str = "softmax",
) -> Any:
    """Return dense layers: as deep, as large and as dead as a case wants them."""
    import keras

    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    for number in range(depth):
        x = keras.layers.Dense(
            width,
            activation=None if norm else activation,
            kernel_initializer=keras.initializers.VarianceScaling(2.0 * scale**2),
            bias_initializer=keras.initializers.Constant(bias),
            name=f"dense_{number + 1}",
        )(x)
        if norm:
            x = keras.layers.BatchNormalization(name=f"norm_{number + 1}")(x)
            x = keras.layers.Activation(activation, name=f"active_{number + 1}")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation=ending, name="head")(x))


def row_of(case: Case, evidence: Evidence) -> dict[str, Any]:
    """Return what the diagnosis says of a case, with and without its probe."""
    found = [finding.check for finding in diagnose(*evidence)]
    blind = [
        finding.check for finding in diagnose(evidence.rows, [], evidence.resources, evidence.facts)
    ]
    return {
        "run": case.name,
        "seed": case.seed,
        "ill": case.ill,
        "found": found,
        "without_probe": blind,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the results as a table for a page."""
    lines = ["| Run | Seed | Ill with | Found | Without `--probe` |", "|---|---|---|---|---|"]
    for row in rows:
        found, blind = (", ".join(row[key]) or "nothing" for key in ("found", "without_probe"))
        lines.append(
            f"| {row['run']} | {row['seed']} | {row['ill'] or 'well'} | {found} | {blind} |"
        )
    return "\n".join(lines) + "\n"


def summary(rows: list[dict[str, Any]]) -> str:
    """Return how many were named, and how many well ones were not left alone."""
    ill = [row for row in rows if row["ill"]]
    well = [row for row in rows if not row["ill"]]
    named = sum(row["ill"] in row["found"] for row in ill)
    first = sum(row["found"][:1] == [row["ill"]] for row in ill)
    false = sum(bool(row["found"]) for row in well)
    return f"{named} of {len(ill)} ill runs named ({first} first); {false} of {len(well)} well runs with a finding"


def main(argv: list[str] | None = None) -> None:
    """Make the runs and print the table."""
    parser = argparse.ArgumentParser(description="Calibrate the diagnosis.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="names of runs")
    parser.add_argument("--fixtures", type=Path, help="folder for small copies of their histories")
    settings = parser.parse_args(argv)
    for title, cases in (("calibration", (*ILL, *WELL)), ("fresh", FRESH)):
        rows = []
        for case in cases:
            if settings.only and case.name not in settings.only:
                continue
            folder = settings.folder / case.name
            make_run(case, folder)
            evidence = evidence_of_run(folder)
            rows.append(row_of(case, evidence))
            if settings.fixtures is not None:
                text = json.dumps({"ill": case.ill, **compact(evidence)}, separators=(",", ":"))
                path = settings.fixtures / f"{case.name}.json"
                write_whole(path, lambda partial, text=text: partial.write_text(text + "\n"))
        if rows:
            sys.stdout.write(f"\n{title}: {summary(rows)}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
