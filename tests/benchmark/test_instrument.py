"""What users measure: requests, summaries, and that the page names every flag."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import keras_fit, render, suite
from benchmarks.run import LAUNCHER
from ddl import options
from ddl.benchmark import (
    allreduce,
    comparison,
    epochs,
    requests,
    runner,
    steps,
)
from ddl.benchmark.command import COMMANDS, Launcher
from ddl.benchmark.plans import data_of, plan_of, stored
from ddl.benchmark.reports import markdown, pair_ratios, rounded, shown, summary
from ddl.benchmark.runner import Setup
from ddl.benchmark.trial import Trial
from ddl.data.batches import sample_cache
from tests.pages import read_page

undefined = requests.Request.comparison
MEASURING = [
    name
    for name, one in LAUNCHER.commands.items()
    if getattr(options.load(one.request), "comparison", undefined) is not undefined
]
PNG = b"\x89PNG"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_subcommand_and_flag_stands_on_the_page(name: str) -> None:
    page = read_page("performance.md")
    assert f"`{name}`" in page
    for action in Launcher("benchmark", "doc", COMMANDS).command_parser(name)._actions:
        for flag in action.option_strings:
            if flag not in ("-h", "--help"):
                assert f"`{flag}`" in page, f"{flag} of {name}"
                assert action.help


@pytest.mark.parametrize("name", MEASURING)
def test_every_comparison_has_two_ways_at_least_and_fits_its_ranks(name: str) -> None:
    kind = options.load(LAUNCHER.commands[name].request)
    found = kind(storage="png") if name == "train" else kind()
    setups = found.comparison().setups
    assert len(setups) >= 2 or name == "startup"
    for setup in setups.values():
        count = setup.trial.samples / (setup.ranks * setup.trial.per_rank_batch_size)
        assert count == int(count)
        assert setup.trial == Trial(**json.loads(setup.trial.to_json()))


@pytest.mark.parametrize("storage", ["memory", "hdf5", "png"])
@pytest.mark.parametrize(("model", "channels"), [("unet", 3), ("cnn", 3), ("cnn", 1)])
def test_every_storage_trains_on_all_samples(
    model: str, channels: int, storage: str, tmp_path: Path
) -> None:
    made = {"model": model, "samples": 40, "image_size": 32, "classes": 2, "channels": channels}
    trial = Trial(storage=storage, **made)  # type: ignore[arg-type]
    opened = data_of(trial, plan_of(trial, tmp_path, stored(trial, tmp_path)))
    assert len(opened.training) == trial.samples
    assert opened.classes == trial.model_classes
    assert opened.input_shape == (32, 32, channels)


@pytest.mark.parametrize(("storage", "size"), [("hdf5", {}), ("png", {"image_size": 16})])
def test_own_data_are_trained_on_as_stored_and_in_memory(
    storage: str, size: dict[str, int], tmp_path: Path
) -> None:
    data = stored(Trial(storage=storage, samples=10, image_size=32), tmp_path)
    request = requests.TrainRequest(data=data, per_rank_batch_size=4, epoch_steps=6, **size)  # type: ignore[arg-type]
    setups = request.comparison().setups
    assert list(setups) == ["in memory", "as stored"]
    kept = []
    for setup in setups.values():
        opened = data_of(setup.trial, plan_of(setup.trial, tmp_path, stored(setup.trial, tmp_path)))
        assert len(opened.training) == 24  # of 10 that there are
        kept.append(opened.training.read([0, 23, 3, 13]))
    for name, values in kept[0].items():
        np.testing.assert_array_equal(values, kept[1][name])
        np.testing.assert_array_equal(values[1], values[2])
    side = size.get("image_size", 32)
    assert kept[0]["image"].shape == (4, side, side, 3)


def test_data_larger_than_memory_are_measured_as_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = stored(Trial(storage="hdf5", samples=10, image_size=32), tmp_path)
    monkeypatch.setattr(sample_cache, "available_memory_bytes", lambda: 10_000)
    assert list(requests.TrainRequest(data=data).comparison().setups) == ["as stored"]


def test_own_data_that_cannot_be_trained_on_are_refused(tmp_path: Path) -> None:
    labels = stored(Trial(model="cnn", storage="hdf5", samples=10, image_size=16), tmp_path)
    for wrong in (
        {"data": str(tmp_path / "nothing.h5")},
        {"data": labels},
        {"data": labels, "model": "cnn", "storage": "png"},
        {"data": labels, "model": "cnn", "image_size": 32},
        {"data": labels, "model": "cnn", "ranks": 11},
        {"data_option": {"channels": "grey"}},
    ):
        with pytest.raises(ValueError, match="Expected"):
            requests.TrainRequest(**wrong)  # type: ignore[arg-type]


def test_steps_of_a_training_too_short_are_refused() -> None:
    with pytest.raises(ValueError, match="Expected: 50 steps at least for profile=20"):
        steps.StepsRequest(epochs=2, epoch_steps=20)


def test_parts_of_a_step_are_told_beside_what_is_computed(tmp_path: Path) -> None:
    parts = {"input": 1.0, "compute": 6.0, "reduction": 2.0, "waiting": 0.5, "Python": 0.5}
    trials = [{"step_ms": 10.0, "parts_ms": parts, "operations_ms": {"Conv2D": 4.0}}]
    values = summary([10.0]) | {"all": [10.0]}
    result = {
        "benchmark": "steps",
        "unit": "ms",
        "values": {"1 rank": values},
        "results": {"1 rank": trials},
    }
    told = "| 1.00 | 6.00 | 2.00 | 0.500 | 0.500 |"
    assert f"| 1 rank | 10.0 {told}" in steps.steps_table(result)
    assert "| Conv2D | 4.00 |\n" in steps.steps_table(result)
    steps.draw_steps(result, tmp_path / "steps.png")
    assert (tmp_path / "steps.png").read_bytes()[:4] == PNG
    (tmp_path / "it.json").write_text(json.dumps(result))
    row = f"| Model: 1 rank | 10.0 (10.0 to 10.0) {told} `it` (1 round) |"
    assert row in render.parts_of_steps([suite.Definition("it", "Model", "steps")], tmp_path)


def test_a_trial_that_fails_says_what_it_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(setup: Setup) -> dict[str, Any]:
        raise runner.TrialError("The trial ended with 1:\nno memory")

    monkeypatch.setattr(runner, "run_trial", fail)
    assert Launcher("benchmark", "doc", COMMANDS).main(["train", "--rounds", "1"]) == 1
    assert capsys.readouterr().err == "benchmark: The trial ended with 1:\nno memory\n"


def test_ratios_are_those_of_neighbours() -> None:
    assert pair_ratios([2.0, 30.0], [1.0, 10.0]) == [2.0, 3.0]
    assert shown(summary([1.0, 3.0, 2.0])) == "2.00 (1.00 to 3.00)"
    assert [rounded(value) for value in (0.01234, 1.234, 12345.6, 0.0)] == [
        *("0.0123", "1.23", "12,346", "0"),
    ]
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_rounds_go_in_turn_and_tell_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def pretend(setup: Setup) -> dict[str, Any]:
        order.append(setup.trial.way.rpartition(":")[2])
        return {"samples_per_s": 10.0 * len(order) * (2 if order[-1] == "train" else 1)}

    monkeypatch.setattr(runner, "run_trial", pretend)
    found = comparison.measure(keras_fit.LoopRequest().comparison(), 2)
    assert order == ["fit_on_arrays", "train", "take_steps"] * 2
    assert found["ratios"]["our loop"]["all"] == [4.0, 100 / 40]
    assert "| our loop | 70.0 (40.0 to 100) | 3.25 (2.50 to 4.00) |" in (comparison.table_of(found))
    comparison.draw_comparison(found, tmp_path / "loop.png")
    assert (tmp_path / "loop.png").read_bytes()[:4] == PNG


def test_a_line_through_messages_gives_latency_and_bandwidth(tmp_path: Path) -> None:
    seconds = {"4": 1e-3, "64000000": 0.1}
    found = allreduce.summarize([{"seconds_of_bytes": seconds}], ranks=2)
    assert found["latency_s"] == 1e-3
    assert found["mb_per_s"] == pytest.approx(640)
    allreduce.draw_allreduce(found, tmp_path / "wire.png")
    assert "| 64,000,000 | 100 (100 to 100) | 640 |" in allreduce.allreduce_table(found)


def test_two_runs_are_compared_epoch_by_epoch(tmp_path: Path) -> None:
    for name, seconds in (("one", 8.0), ("two", 4.0)):
        (tmp_path / name).mkdir()
        lines = [{"epoch": n, "seconds": seconds, "val_loss": 1 / n} for n in (1, 2)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / name / "history.jsonl").write_text(text)
    found = epochs.EpochsRequest(tmp_path / "one", tmp_path / "two").compare()
    assert re.search(
        r"\| 2 \| 8.00 \| 4.00 \| 2.00 \| 0.500 \| 0.500 \|", epochs.epochs_table(found)
    )
    epochs.draw_epochs(found, tmp_path / "epochs.png")
    assert (tmp_path / "epochs.png").read_bytes()[:4] == PNG


def test_another_number_is_told_beside_the_first(tmp_path: Path) -> None:
    values = {name: summary([rate]) | {"all": [rate]} for name, rate in (("a", 1.0), ("b", 2.0))}
    result = {
        "benchmark": "precision",
        "unit": "samples/s",
        "base": "a",
        "beside": "score",
        "values": values,
        "ratios": {"b": summary([2.0])},
        "results": {"a": [{"score": 0.5}], "b": [{"score": 0.75}]},
    }
    assert "| 2.00 (2.00 to 2.00) | 0.750 (0.750 to 0.750) |" in comparison.table_of(result)
    (tmp_path / "it.json").write_text(json.dumps(result))
    told = "samples/s; score a 0.500 (0.500 to 0.500), b 0.750 (0.750 to 0.750) |"
    assert told in render.suite_table([suite.Definition("it", "Model", "precision")], tmp_path)


def test_memory_is_held_against_a_run_that_draws_as_often() -> None:
    found = requests.MemoryRequest().comparison()
    assert list(found.setups) == ["4 epochs", "20 epochs"]
    assert all(setup.trial.draws for setup in found.setups.values())
