"""A shell script, a NumPy script and our U-Net give the same history, curves, rules and events for mail."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.watching.history import read_history
from tests.experiments.agent.worlds import World, lines_of
from tests.launch import REPOSITORY

RULES = [
    {"name": "worse", "text": "loss > 1.5 * best(loss) for 2 epochs -> warn, mail"},
    {"name": "second", "text": "epoch == 2 and finite(val_loss) -> mail"},
    {"name": "typo", "text": "val_los < 0 -> stop"},
]
VALUES = [(1, 1.0, 0.5), (2, 0.5, 0.25), (3, 0.875, 0.5), (4, 0.9375, "NaN"), (5, 2.0, 1.0)]

SHELL = """
while read -r epoch loss val_loss; do
    echo "epoch $epoch"; echo "loss $loss, val_loss $val_loss"; sleep 0.05
done < values.txt
"""
NUMPY = """
import os, pathlib, numpy
rows = numpy.loadtxt("values.txt", ndmin=2)
path = pathlib.Path(os.environ["DDL_RUN_DIR"]) / "log.csv"
path.parent.mkdir(exist_ok=True)
with path.open("w") as file:
    file.write("epoch,loss,val_loss\\n")
    for row in rows:
        numpy.savetxt(file, row[None], delimiter=",", fmt=["%d", "%.17g", "%.17g"])
        file.flush()
"""
AS_OURS = """
import pathlib, os, sys
from ddl.training.record.history import append_epoch
folder, rows = pathlib.Path(os.environ["DDL_RUN_DIR"]), []
folder.mkdir(exist_ok=True)
for line in open("values.txt"):
    epoch, loss, val_loss = line.split()
    rows.append({"epoch": int(epoch), "loss": float(loss), "val_loss": float(val_loss)})
    append_epoch(folder, rows)
"""
Told = tuple[list[dict[str, Any]], list[Any], list[Any]]


def watched(
    world: World, number: int, variables: list[dict[str, str]], *argv: str, **run: Any
) -> Told:
    """Run a command. Return the rows of its history without times, its findings, and its events by rules."""
    record = {"watch": RULES, "variables": variables}
    attempt = world.simple(number, *argv, record=record, **run)
    world.start(attempt)
    assert world.status(attempt, within_s=120)["outcome"] == "finished"
    history = read_history(attempt.experiment.history)["rows"]
    rows = [
        {name: repr(float(row[name])) for name in ("epoch", "loss", "val_loss")} for row in history
    ]
    findings = [
        (
            one["rule"],
            one["action"],
            one["epoch"],
            one["values"],
            one["text"].split(". There are")[0],
        )
        for one in lines_of(attempt.findings)
    ]
    events = [
        (event["kind"], event["text"])
        for event in lines_of(attempt.events)
        if "rule" in event["kind"] and "no variable" not in event["text"]
    ]
    return rows, findings, events


def write_values(world: World, values: list[tuple[Any, ...]]) -> None:
    lines = [" ".join(map(str, value)) for value in values]
    (world.folder / "values.txt").write_text("\n".join(lines) + "\n")


def others(world: World) -> list[Told]:
    """Return what a shell script and a NumPy script tell."""
    shell = watched(world, 1, [{"from": "auto"}], SHELL, shell=True)
    return [shell, watched(world, 2, [{"from": "log.csv"}], sys.executable, "-c", NUMPY)]


def test_three_programs_that_log_the_same_are_watched_alike(world: World) -> None:
    write_values(world, VALUES)
    environ = {"PYTHONPATH": str(REPOSITORY)}
    ours = watched(world, 3, [], sys.executable, "-c", AS_OURS, env=environ)
    assert [row["loss"] for row in ours[0]] == ["1.0", "0.5", "0.875", "0.9375", "2.0"]
    assert [(rule, epoch) for rule, _, epoch, *_ in ours[1]] == [
        ("typo", 1),
        ("second", 2),
        ("worse", 4),
    ]
    assert "the nearest is val_loss" in ours[1][0][-1]
    assert len(ours[2]) == 2
    for other in others(world):
        assert other == ours


@pytest.mark.proof
def test_our_u_net_is_watched_as_a_shell_script_and_a_numpy_script_are(world: World) -> None:
    train = [
        *(sys.executable, str(REPOSITORY / "scripts" / "train_unet.py"), "--run-dir", "{run_dir}"),
        *("--data", "synthetic", "--data-option", "count=45", "--image-size", "32"),
        *("--validation-part", "0.4", "--per-rank-batch-size", "3", "--epochs", "4"),
        *("--model-option", "width=2", "depth=1", "--tensorboard", "false"),
    ]
    ours = watched(world, 3, [], *train)
    history = [
        json.loads(line)
        for line in Path(world.store, "003-x", "run", "history.jsonl").read_text().splitlines()
    ]
    assert all(row["samples_per_s"] > 0 for row in history)
    write_values(
        world, [(row["epoch"], repr(row["loss"]), repr(row["val_loss"])) for row in history]
    )
    for other in others(world):
        assert other[0] == ours[0]
        assert other[2] == ours[2]
