"""Compare two runs epoch by epoch from their history files: one rank against several."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ddl.benchmark.reports import Result, markdown, report, rounded
from ddl.options import convert_fields
from ddl.training.record.history import read_history
from ddl.training.record.run_facts import read_starts


@dataclass(frozen=True)
class EpochsRequest:
    """Two runs.

    Attributes:
        single: run directory of the run on one rank.
        distributed: run directory of the run on several ranks.
        output: path of the results without an ending; writes .json, .md and .png.
    """

    single: Path = field()
    distributed: Path = field()
    output: Path | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse folders without a history."""
        convert_fields(self)
        for folder in (self.single, self.distributed):
            if not (folder / "history.jsonl").is_file():
                raise ValueError(
                    f"Received: {folder}, which has no history.jsonl. Expected: the --run-dir of a training run."
                )

    def run(self) -> None:
        """Compare the histories of both runs, and report it."""
        report(self.output, self.compare(), epochs_table, draw_epochs)

    def compare(self) -> Result:
        """Return both histories, with the number of ranks of each run."""
        runs = {}
        for name, folder in (("single", self.single), ("distributed", self.distributed)):
            starts = read_starts(folder)
            ranks = int(starts[-1]["ranks"]) if starts else 1
            runs[f"{ranks} rank{'s' * (ranks > 1)} ({name})"] = read_history(folder)
        return {"benchmark": "epochs", "runs": runs}


def epochs_table(result: Result) -> str:
    """Return a table with a row for each epoch that both runs have: seconds, speedup, losses."""
    (first_name, first), (second_name, second) = result["runs"].items()
    columns = ["epoch", f"{first_name}: s", f"{second_name}: s", "times", f"{first_name}: val_loss"]
    rows = []
    for left, right in zip(first, second, strict=False):
        numbers = [left["seconds"], right["seconds"], left["seconds"] / right["seconds"]]
        numbers += [left["val_loss"], right["val_loss"]]
        rows.append([str(left["epoch"]), *(rounded(number) for number in numbers)])
    return markdown([*columns, f"{second_name}: val_loss"], rows)


def draw_epochs(result: Result, path: Path) -> None:
    """Draw seconds and validation loss of both runs over epochs."""
    from matplotlib.ticker import MaxNLocator

    from ddl.training.record.figure import FOUND, TRUTH, new_figure

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
