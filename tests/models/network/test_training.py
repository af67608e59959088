"""A network file in the training scripts: 2 ranks equal one process, and a run needs its file no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.training.checkpoint.find_trained import read_plan
from tests.models.network.fixtures import unet
from tests.models.network.writer import Writer
from tests.ranks.scripts import run_script

pytestmark = pytest.mark.timeout(600)

LABELS = ("--data", "synthetic-labels", "--data-option", "count=43", "classes=3", "channels=3")
MASKS = ("--data", "synthetic", "--data-option", "count=43")
PLAN = (
    *("--image-size", "16", "--optimizer", "sgd", "--learning-rate", "0.1", "--jit", "false"),
    *("--global-batch-size", "8", "--warmup-epochs", "0", "--tensorboard", "false"),
    *("--learning-rate-scaling", "none", "--log-every-s", "0", "--epochs", "2"),
)


def network(net: Writer) -> None:
    """Add a frozen convolution and norm, a norm that learns, and a strong regularizer."""
    l2 = {"class_name": "L2", "config": {"l2": 0.05}}
    net.add("Conv2D", name="a/conv", filters=4, kernel_size=3, padding="same", trainable=False)
    net.add("BatchNormalization", name="a/bn", trainable=False)
    net.add("Conv2D", name="conv", filters=4, kernel_size=3, kernel_regularizer=l2)
    net.add("BatchNormalization", name="bn")
    net.add("ReLU", name="relu")
    net.add("GlobalAveragePooling2D", name="pool")
    net.add("Dense", name="fc", units=3, activation="softmax", bias_regularizer=l2)


def train(folder: Path, ranks: int, make: Any = network) -> Path:
    """Train for two epochs; return the run directory, whose network file is gone."""
    net = Writer("functional-2.8", (16, 16, 3))
    make(net)
    file = folder / "net.json"
    file.write_text(net.text())
    words = ("--run-dir", folder / "run", "--model", "network", "--model-option", f"file={file}")
    script, data = "scripts/train_unet", MASKS
    if make is network:
        script, data = "scripts/train_cnn", (*LABELS, "--freeze", "fc")
    result = run_script(
        script,
        (*words, *PLAN, *data),
        ranks=ranks,
        launcher="mpirun" if ranks > 1 else "none",
        floatx="float64",
    )
    assert result.returncode == 0, result.output
    file.unlink()
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("network"), 2)


def weights(run_dir: Path) -> dict[str, np.ndarray]:
    model = keras.models.load_model(run_dir / "model.keras")
    return {weight.path: np.asarray(weight.numpy()) for weight in model.weights}


def equal(run: Path, other: Path) -> None:
    """Check that two runs end with the same weights and the same last line of the history."""
    two, one = weights(run), weights(other)
    assert list(two) == list(one)
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-9, atol=1e-12, err_msg=name)
    assert history(run) == pytest.approx(history(other), rel=1e-9)


def test_two_ranks_equal_one_process(run: Path, tmp_path: Path) -> None:
    equal(run, train(tmp_path, 1))


@pytest.mark.proof
@pytest.mark.parametrize("make", [network, unet])
def test_any_number_of_ranks_equals_one_process(make: Any, tmp_path: Path) -> None:
    one = train(tmp_path, 1, make)
    for ranks in (2, 3, 4):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        equal(train(folder, ranks, make), one)


def history(run_dir: Path) -> dict[str, float]:
    line = json.loads((run_dir / "history.jsonl").read_text().splitlines()[-1])
    return {name: value for name, value in line.items() if name not in ("seconds", "samples_per_s")}


def test_frozen_layers_keep_their_start_and_the_others_learn(run: Path) -> None:
    found = weights(run)
    assert not found["a_bn/moving_mean"].any()
    assert (found["a_bn/moving_variance"] == 1).all()
    assert not found["fc/bias"].any()
    assert found["bn/moving_mean"].any()
    assert found["conv/bias"].any()


def test_the_run_keeps_its_network(run: Path) -> None:
    plan = read_plan(run)
    assert json.loads(plan.model_option["layers"])["class_name"] == "Functional"
    stored = json.loads((run / "plan.json").read_text())["model_option"]["layers"]
    assert stored.startswith("sha256:")
    assert (run / "network.json").read_text() == plan.model_option["layers"]


def test_it_resumes_and_is_evaluated_without_the_file(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    resumed = run_script(
        "scripts/train_cnn",
        ("--run-dir", copy, "--resume", "auto", "--epochs", "3"),
        ranks=1,
        launcher="none",
        floatx="float64",
    )
    assert resumed.returncode == 0, resumed.output
    before, after = weights(run), weights(copy)
    frozen = ("a_conv/kernel", "a_conv/bias", "a_bn/gamma", "a_bn/moving_mean", "fc/kernel")
    for name in before:
        same = np.array_equal(before[name], after[name])
        assert same == (name in frozen or name.startswith(("a_", "fc"))), name
    told = run_script("scripts/evaluate", [copy], ranks=1, launcher="none", floatx="float64")
    assert told.returncode == 0, told.output
    assert '"samples": 4' in told.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.write_text(file.read_text() + " "), "another network than that of the"),
        (lambda file: file.unlink(), "net.json, which cannot be read"),
    ],
)
def test_a_spoiled_copy_of_the_network_is_noticed(
    run: Path, tmp_path: Path, change: Any, message: str
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    change(copy / "network.json")
    with pytest.raises(ValueError, match=message):
        read_plan(copy)
