"""A config trains, a second one infers with what the first one wrote, and both leave what they promise."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.config.json_run.good_configs import CLASSES, INFERENCE, classifier, make_pictures
from tests.launch import REPOSITORY, run_ranks
from tests.scripts.in_process import Outcome, call

TRANSFORMS = (
    '"transforms": [ { "resize": [16, 16] }, { "normalize": { "mean": 0.5, "std": 0.25 } } ],'
)
SECOND = INFERENCE.replace('"test_batch_size"', f'{TRANSFORMS} "test_batch_size"').replace(
    "outputs/", "again/"
)


@dataclass(frozen=True)
class Runs:
    """A training run, and an inference with its model."""

    folder: Path
    training: Outcome
    inference: Outcome


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return a training run of 3 epochs, and an inference by the model of the last of them."""
    folder = tmp_path_factory.mktemp("json")
    make_pictures(folder)
    (folder / "net.json").write_text(classifier())
    (folder / "x.json").write_text(CLASSES.replace('"interval": 2', '"interval": 3'))
    (folder / "y.json").write_text(SECOND)
    training = call("run", "--config=", "./x.json", "--set", "ddl.tensorboard=false", folder=folder)
    inference = call("run", "--config=y.json", "--set=ddl.tensorboard=false", folder=folder)
    return Runs(folder, training, inference)


def outputs(file: Path) -> dict[str, np.ndarray]:
    """Return the data sets of a file of outputs by their names."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(file) as opened:
        opened.visititems(
            lambda name, item: found.update(
                {name: item[()]} if isinstance(item, h5py.Dataset) else {}
            )
        )
    return found


def test_both_end_well(runs: Runs) -> None:
    assert (runs.training.status, runs.inference.status) == (0, 0), runs
    assert "For models/model_checkpoint_3.pt" in runs.inference.told


def test_training_leaves_what_the_config_names(runs: Runs) -> None:
    folder = runs.folder
    for name in ("out_train.txt", "out_test.txt", "outputs/output_3.h5", "x.run/model.keras"):
        assert (folder / name).is_file(), name
    models = folder / "models"
    assert sorted(path.name for path in models.iterdir() if not path.name.startswith(".")) == [
        *("model_checkpoint_3.keras", "model_checkpoint_3.pt")
    ]
    history = [
        json.loads(line) for line in (folder / "x.run/history.jsonl").read_text().splitlines()
    ]
    assert len(history) == 3
    assert history[-1]["val_top_1"] == 1.0
    # The rate of the step that would follow: the first fall is at the end of epoch 1.
    assert [epoch["learning_rate"] for epoch in history] == pytest.approx([0.05, 0.025, 0.0125])


def test_an_inference_gives_the_outputs_of_the_training_run(runs: Runs) -> None:
    trained = outputs(runs.folder / "outputs" / "output_3.h5")
    again = outputs(runs.folder / "again" / "output_1.h5")
    assert len(again) == 8
    assert set(again) == set(trained)
    for name, values in again.items():
        np.testing.assert_array_equal(values, trained[name])


def test_outputs_alone_need_no_labels(runs: Runs) -> None:
    text = SECOND.replace('"target_type": "labels",', "").replace("again/", "alone/")
    (runs.folder / "z.json").write_text(text.replace('"layers"', '"outfile": "z.txt", "layers"'))
    done = call("run", "--config=z.json", "--set=ddl.tensorboard=false", folder=runs.folder)
    assert done.status == 0, done
    again = outputs(runs.folder / "again" / "output_1.h5")
    alone = outputs(runs.folder / "alone" / "output_1.h5")
    assert set(alone) == set(again)
    for name, values in alone.items():
        np.testing.assert_array_equal(values, again[name])
    (history,) = map(json.loads, (runs.folder / "z.run/history.jsonl").read_text().splitlines())
    assert "val_loss" not in history


def test_predict_gives_the_same(runs: Runs) -> None:
    done = call("predict", runs.folder / "x.run", runs.folder / "test", runs.folder / "labels")
    assert done.status == 0, done
    lines = (runs.folder / "labels" / "predictions.csv").read_text().splitlines()
    rows = list(csv.reader(lines))
    assert (rows[0], len(rows)) == (["name", "class", "label", "probability", "p_a", "p_b"], 9)
    again = outputs(runs.folder / "again" / "output_1.h5")
    for name, _, label, _, *probabilities in rows[1:]:
        found = again[f"{name}.png"]
        np.testing.assert_allclose(found, [float(each) for each in probabilities], rtol=1e-5)
        assert int(label) == found.argmax()


def test_its_config_with_all_values_is_kept_and_is_one(runs: Runs) -> None:
    config = runs.folder / "x.run" / "config.json"
    outcome = call("run", f"--config={config}", "--print-config", folder=runs.folder)
    assert outcome.status == 0
    assert outcome.printed == config.read_text()


def test_started_again_it_begins_anew_beside(runs: Runs) -> None:
    outcome = call("run", "--config=x.json", "--dry-run", folder=runs.folder)
    assert json.loads(outcome.printed)["run_dir"] == "x-2.run"
    outcome = call("run", "--config=x.json", "--resume=auto", "--dry-run", folder=runs.folder)
    assert (outcome.status, json.loads(outcome.printed)["run_dir"]) == (0, "x.run"), outcome


@pytest.mark.proof
@pytest.mark.parametrize("ranks", [2, 3])
def test_any_number_of_ranks_learns_the_same(runs: Runs, tmp_path: Path, ranks: int) -> None:
    for name in ("train", "test", "net.json", "x.json", "y.json"):
        (tmp_path / name).symlink_to(runs.folder / name)
    script = REPOSITORY / "scripts" / "run.py"
    for config, file in (("x", "outputs/output_3.h5"), ("y", "again/output_1.h5")):
        result = run_ranks([script, f"--config={config}.json"], ranks, "mpirun", folder=tmp_path)
        assert result.returncode == 0, result.output
        assert f"Devices: {ranks} rank(s) on 1 machine(s)" in result.output
        assert "Network: small, 4 layers, 122 parameters" in result.output
        assert ("Optimizer: torch_sgd" in result.output) == (config == "x")
        assert f"Data: {8 if config == 'y' else 24}" in result.output
        one = outputs(runs.folder / file)
        several = outputs(tmp_path / file)
        assert set(several) == set(one)
        for name, values in several.items():
            np.testing.assert_allclose(values, one[name], rtol=1e-4, atol=1e-5)
