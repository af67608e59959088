"""Measures the throughput of GAN training: each loss on one rank and on several, with the same work per rank.

No TensorFlow here.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.benchmark.modes.request import environment
from ddl.benchmark.reports import Result, markdown, report, rounded, shown, summary
from ddl.benchmark.runner import TIMEOUT_S, TrialError
from ddl.benchmark.trial import RESULT
from ddl.distributed.job.launcher import usable_cores
from ddl.doctor.allreduce import run_bounded
from ddl.doctor.facts import find_mpirun
from ddl.options import convert_fields
from ddl.ranges import Range, check_ranges, expected_one_of

LOSSES = ("dcgan", "wgan", "wgan_gp")
_RANGES = {
    "ranks": Range(1, 64),
    "image_size": Range(8, 1024),
    "per_rank_batch_size": Range(1, 10**6),
    "critic_steps": Range(1, 100),
    "epoch_steps": Range(1, 10**6),
    "epochs": Range(2, 10**6),
}


@dataclass(frozen=True, kw_only=True)
class GanRequest:
    """Measurement.

    Attributes:
        losses: losses to measure, separated by spaces.
        ranks: number of ranks that are compared with one.
        image_size: height and width of the pictures, a power of two.
        per_rank_batch_size: real pictures per rank and update.
        critic_steps: updates of the discriminator for each of the generator.
        epoch_steps: steps per epoch.
        epochs: epochs of each run; the first one warms up and does not count.
        output: path of the results without an ending; writes .json, .md and .png.
    """

    losses: tuple[str, ...] = LOSSES
    ranks: int = 2
    image_size: int = 32
    per_rank_batch_size: int = 32
    critic_steps: int = 1
    epoch_steps: int = 20
    epochs: int = 4
    output: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "a benchmark of GANs")
        for loss in self.losses:
            if loss not in LOSSES:
                raise ValueError(f"Received: losses={loss}. {expected_one_of(loss, LOSSES)}")
        if not self.losses or len(set(self.losses)) != len(self.losses):
            given = " ".join(self.losses)
            raise ValueError(f"Received: losses={given}. Expected: at least one, each once.")
        if find_mpirun() is None:
            raise ValueError("Received: no mpirun on PATH. Expected: one; ./setup.sh installs it.")

    def run(self) -> None:
        """Train with each loss on each number of ranks, and report."""
        rates: dict[str, dict[str, list[float]]] = {}
        for loss in self.losses:
            for ranks in sorted({1, self.ranks}):
                found = self._train(loss, ranks)[1:]
                rates.setdefault(loss, {})[str(ranks)] = found
                told = shown(summary(found))
                print(f"{loss} on {ranks} rank(s): {told} real pictures/s", flush=True)
        fields = dataclasses.asdict(self)
        setup = {name: value for name, value in fields.items() if name not in ("losses", "output")}
        report(self.output, {"benchmark": "gan", "setup": setup, "rates": rates}, table_of, draw)

    def plan(self, loss: str, ranks: int) -> dict[str, Any]:
        """Return the fields of a plan, all but the run directory, as JSON values."""
        batch = ranks * self.per_rank_batch_size
        return {
            "gan_loss": loss,
            "data": "synthetic",
            "data_option": {"count": batch * self.epoch_steps},
            "validation_part": 0.0,
            "image_size": [self.image_size, self.image_size],
            "critic_steps": self.critic_steps,
            "global_batch_size": batch,
            "epochs": self.epochs,
            "tensorboard": False,
            "checkpoint_every_epochs": 0,
            "checkpoint_every_min": 0,
        }

    def _train(self, loss: str, ranks: int) -> list[float]:
        """Return each epoch's real pictures per second, over all ranks.

        Raises:
            TrialError: it failed.
        """
        crowded = ["--oversubscribe"] if ranks > usable_cores() else []
        launcher = [str(find_mpirun()), "-np", str(ranks), "--bind-to", "none", *crowded]
        given = json.dumps(self.plan(loss, ranks))
        command = [*launcher, sys.executable, "-m", "ddl.benchmark.gan.trial", given]
        status, output = run_bounded(command, environment(), TIMEOUT_S)
        lines = [line.split(RESULT)[1] for line in output.splitlines() if RESULT in line]
        if status != 0 or not lines:
            told = f"The run with {loss} ended with status {status}. Its output ends with:\n{output[-3000:]}"
            raise TrialError(told, status, output)
        rates: list[float] = json.loads(lines[-1])
        return rates


def table_of(result: Result) -> str:
    """Return a row for each loss and number of ranks: real pictures per second, and times one rank's."""
    rates: Mapping[str, Mapping[str, list[float]]] = result["rates"]
    rows = []
    for loss, of_loss in rates.items():
        base = summary(next(iter(of_loss.values())))["median"]
        for ranks, values in of_loss.items():
            median = summary(values)["median"]
            rows.append([loss, ranks, shown(summary(values)), rounded(median / base)])
    return markdown(("loss", "ranks", "real pictures/s", "times one rank"), rows)


def draw(result: Result, path: Path) -> None:
    """Draw a bar for each loss and number of ranks."""
    from ddl.training.record.figure import FOUND, TRUTH, new_figure

    bars = [
        (f"{loss}, {ranks}", summary(values)["median"])
        for loss, of_loss in result["rates"].items()
        for ranks, values in of_loss.items()
    ]
    colours = [TRUTH if index % 2 == 0 else FOUND for index in range(len(bars))]
    with new_figure(path, 640, 60 + 40 * len(bars)) as figure:
        axes = figure.add_subplot()
        axes.barh([name for name, _ in bars], [rate for _, rate in bars], color=colours)
        axes.invert_yaxis()
        axes.set_xlabel("real pictures/s, median")
