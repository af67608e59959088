"""Two runs epoch by epoch, from their history files: one rank against several, as table and picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.benchmark.result import markdown, rounded
from ddl.options import convert_fields
from ddl.training.facts import read_starts
from ddl.training.history import read_history

Epochs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class EpochsRequest:
    """Two runs.

    Attributes:
        single: run directory of the training that is not distributed.
        distributed: run directory of the one that is.
        output: name of the results, to which .json, .md and .png are added; nothing is written without.
    """

    single: Path = field()
    distributed: Path = field()
    output: Path | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what is no run."""
        convert_fields(self)
        for folder in (self.single, self.distributed):
            if not (folder / "history.jsonl").is_file():
                raise ValueError(
                    f"Received: {folder}, which has no history.jsonl. Expected: the --run-dir of a training."
                )


def compare_epochs(request: EpochsRequest) -> dict[str, Any]:
    """Return both histories, with the number of ranks of each run."""
    runs = {
        f"{_ranks(folder)} rank{'s' * (_ranks(folder) > 1)} ({name})": read_history(folder)
        for name, folder in (("single", request.single), ("distributed", request.distributed))
    }
    return {
        "benchmark": "epochs",
        "runs": runs,
    }


def epochs_table(result: Mapping[str, Any]) -> str:
    """Return a row for each epoch that both have: seconds, how many times faster, losses."""
    (one, first), (other, second) = result["runs"].items()
    columns = ["epoch", f"{one}: s", f"{other}: s", "times", f"{one}: val_loss"]
    rows = []
    for left, right in zip(first, second, strict=False):
        numbers = [left["seconds"], right["seconds"], left["seconds"] / right["seconds"]]
        numbers += [left["val_loss"], right["val_loss"]]
        rows.append([str(left["epoch"]), *(rounded(number) for number in numbers)])
    return markdown([*columns, f"{other}: val_loss"], rows)


def draw_epochs(result: Mapping[str, Any], path: Path) -> None:
    """Draw seconds and validation loss of both runs over epochs."""
    from matplotlib.ticker import MaxNLocator

    from ddl.training.figure import FOUND, TRUTH, new_figure

    with new_figure(path, 640, 280) as figure:
        for number, (name, title) in enumerate(
            (("seconds", "seconds an epoch"), ("val_loss", "validation loss")), 1
        ):
            axes = figure.add_subplot(1, 2, number)
            for (run, epochs), colour in zip(result["runs"].items(), (TRUTH, FOUND), strict=True):
                places = [epoch["epoch"] for epoch in epochs]
                values = [epoch[name] for epoch in epochs]
                axes.plot(places, values, color=colour, marker="o", markersize=3, label=run)
            axes.set_ylim(bottom=0)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_title(title, loc="left", fontweight="bold")
            axes.legend(fontsize=8)


def _ranks(folder: Path) -> int:
    starts = read_starts(folder)
    return int(starts[-1]["ranks"]) if starts else 1
