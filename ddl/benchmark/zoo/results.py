"""The results of many models: a line, a Markdown table, a CSV file and a picture."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.benchmark.reports import markdown, rounded, write_result
from ddl.files import write_whole

COLUMNS = (
    *("model", "image_size", "batch_size"),
    *("train_samples_per_s", "train_ms", "infer_samples_per_s", "infer_ms"),
    *("parameters", "multiply_adds", "peak_mb", "note"),
)


@dataclass(frozen=True)
class Measured:
    """The result of a model. `result` is empty where it has none; `note` then says why.

    Attributes:
        model: its name.
        image_size: height and width of its pictures; 0 without a result.
        batch_size: samples a step; 0 without a result.
        result: what its process returned.
        note: why it has no result, or a smaller batch.
    """

    model: str
    image_size: int
    batch_size: int
    result: dict[str, Any]
    note: str = ""

    def row(self) -> dict[str, Any]:
        """Return the values of `COLUMNS`, None where it has no result."""
        numbers: dict[str, Any] = dict.fromkeys(COLUMNS)
        for kind in ("train", "infer"):
            rate = self.result.get(f"{kind}_samples_per_s")
            if rate:
                numbers[f"{kind}_samples_per_s"] = round(rate, 2)
                numbers[f"{kind}_ms"] = round(1000 * self.batch_size / rate, 3)
        for name in ("parameters", "multiply_adds", "peak_mb"):
            numbers[name] = self.result.get(name)
        return numbers | {
            "model": self.model,
            "image_size": self.image_size or None,
            "batch_size": self.batch_size or None,
            "note": self.note or None,
        }

    @property
    def line(self) -> str:
        """A line on how fast it is."""
        if not self.result:
            return f"{self.model}: {self.note}"
        row = self.row()
        rates = f"training {rounded(row['train_samples_per_s'])}, inference {rounded(row['infer_samples_per_s'])}"
        return f"{self.model}: {rates} samples/s" + (f" ({self.note})" if self.note else "")


def report_models(output: Path | None, measured: Sequence[Measured], *, whole: bool) -> None:
    """Write the results so far as CSV; at the end print the table, and write JSON, Markdown and a picture, too."""
    if output is not None:
        write_whole(output.with_name(f"{output.name}.csv"), lambda path: _write_csv(path, measured))
    if not whole:
        return
    table = models_table(measured)
    print(table, flush=True)
    if output is not None:
        write_result(output, {"benchmark": "zoo", "models": [one.row() for one in measured]}, table)
        draw_models(measured, output.with_name(f"{output.name}.png"))


def _write_csv(path: Path, measured: Sequence[Measured]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(one.row() for one in measured)


def models_table(measured: Sequence[Measured]) -> str:
    """Return a Markdown table with a row for each model."""
    head = ["model", "pixels", "batch", "training samples/s", "ms", "inference samples/s", "ms"]
    head += ["parameters", "multiply-adds", "peak MB", ""]
    return markdown(head, [_cells(one) for one in measured])


def _cells(one: Measured) -> list[str]:
    row = one.row()
    return [_cell(row[name]) for name in COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return rounded(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def draw_models(measured: Sequence[Measured], path: Path) -> None:
    """Draw the rates of each model as two bars, on a logarithmic axis; a model without a result has a gap."""
    from ddl.training.record.figure import FOUND, TRUTH, new_figure, shortened

    with new_figure(path, 720, 130 + 34 * len(measured)) as figure:
        axes = figure.add_subplot()
        for kind, title, colour, shift in (
            ("train", "training", FOUND, -0.2),
            ("infer", "inference", TRUTH, 0.2),
        ):
            rates = [one.result.get(f"{kind}_samples_per_s") or float("nan") for one in measured]
            places = [place + shift for place in range(len(measured))]
            axes.barh(places, rates, height=0.36, color=colour, label=title)
        for place, one in enumerate(measured):
            if not one.result:
                axes.text(
                    0.01,
                    place,
                    shortened(one.note, 70),
                    va="center",
                    transform=axes.get_yaxis_transform(),
                )
        axes.set_yticks(range(len(measured)), [one.model for one in measured])
        axes.invert_yaxis()
        if any(one.result for one in measured):
            axes.set_xscale("log")
        axes.set_xlabel("samples/s")
        axes.legend(fontsize=8)
