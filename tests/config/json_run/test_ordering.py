"""From a config to a plan in a run directory of its own, and what --dry-run says about it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ddl.config.json_run.keys.optimizer import OPTIMIZER
from ddl.config.json_run.ordering import (
    free_run_dir,
    named_in_config,
    newest_run_dir,
    order_run,
)
from ddl.config.json_run.printing import config_text
from ddl.config.json_run.reading import BadConfig
from ddl.config.json_run.translation.rules import LOSSES, OPTIMIZERS
from ddl.training.plan.plan_flags import plan_from_flags, plan_to_flags
from ddl.training.train_command import training_parser
from tests.config.json_run.good_configs import (
    BLOCKS,
    CLASSES,
    EQUATION,
    INFERENCE,
    changed,
    classifier,
    field_network,
    make_pictures,
    settings_of,
    wave_network,
)
from tests.launch import REPOSITORY
from tests.scripts.in_process import call

NETWORKS = {
    CLASSES: classifier(),
    INFERENCE: classifier(),
    BLOCKS: field_network((8, 8, 8)),
    EQUATION: wave_network(),
}
ONE_SET = json.dumps([{"name": "a", "sizes": [8, 8, 8], "strides": [4, 4, 4]}])


@pytest.mark.parametrize("text", NETWORKS, ids=["classes", "inference", "blocks", "equation"])
def test_flags_and_the_printed_config_give_the_same_plan(here: Path, text: str) -> None:
    (here / "net.json").write_text(NETWORKS[text])
    changes = [f"data.slicers={ONE_SET}"] if text == BLOCKS else []
    settings = settings_of(here, text, *changes)
    plan = order_run(settings, "x.json", Path("a.run")).plan
    parser = training_parser("train_unet", "Train.", {})
    arguments = vars(parser.parse_args(plan_to_flags(plan)))
    del arguments["dry_run"]
    assert plan_from_flags(arguments, {}) == plan
    ordered = order_run(settings, "x.json")
    printed = config_text(settings, ordered.base)
    again = order_run(settings_of(here, printed, name="y.json"), "y.json")
    assert (again.plan, again.base) == (ordered.plan, Path("x.run"))
    assert config_text(again.settings, again.base) == printed


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_takes_all_that_its_keys_say(here: Path, name: str) -> None:
    (here / "net.json").write_text(classifier())
    text = changed(CLASSES, optimizer={"type": name.upper()})
    plan = order_run(settings_of(here, text, "data.transforms=[]"), "x.json").plan
    assert plan.optimizer == OPTIMIZERS[name]
    assert len(plan.optimizer_option) == sum(name in key.only for key in OPTIMIZER.keys) - (
        0 if name == "Hessian" else 2  # the learning rate and its scheduler are fields
    )


ARRAYS = {
    "type": "numpy",
    "input_path": "train",
    "target_path": "test",
    "test_input_path": "train",
    "test_target_path": "test",
}


@pytest.mark.parametrize(
    ("name", "classes", "targets", "metric"),
    [
        *((name, 1, "values", ()) for name in ("BCE", "MSE", "Wasserstein", "Poisson2D_PDE")),
        *((name, 3, "mask", ("dice",)) for name in ("NLL", "Focal", "Jaccard", "Lovasz")),
        ("Dice", 1, "mask", ("dice",)),
    ],
)
def test_each_loss_becomes_a_plan(
    here: Path, name: str, classes: int, targets: str, metric: tuple[str, ...]
) -> None:
    (here / "net.json").write_text(field_network((8, 8), 1, classes))
    text = changed(BLOCKS, loss={"function": name.lower()}, data=ARRAYS)
    plan = order_run(settings_of(here, text), "x.json").plan
    assert (plan.loss, plan.targets, plan.metric) == (LOSSES[name], targets, metric)
    assert plan.data_option == {"format": "channels-first"}


def test_outputs_alone_need_no_targets(here: Path) -> None:
    (here / "net.json").write_text(field_network((8, 8), 1, 3))
    data = {"type": "numpy", "test_input_path": "test", "test_output_path": "out"}
    text = changed(INFERENCE, data=data, loss={"function": "NLL"})
    ordered = order_run(settings_of(here, text), "x.json")
    assert (ordered.plan.loss, ordered.plan.epochs, ordered.plan.metric) == ("none", 0, ())
    (note,) = ordered.notes
    assert "loss: without effect: without data.test_target_path" in note


def test_a_run_takes_the_next_free_directory(tmp_path: Path) -> None:
    base = tmp_path / "x.run"
    assert free_run_dir(base) == base
    assert newest_run_dir(base) == base
    base.mkdir()
    assert free_run_dir(base) == base
    for number in ("", "-2"):
        (tmp_path / f"x{number}.run").mkdir(exist_ok=True)
        (tmp_path / f"x{number}.run" / "plan.json").write_text("{}")
    assert free_run_dir(base) == tmp_path / "x-3.run"
    assert newest_run_dir(base) == tmp_path / "x-2.run"


def test_what_the_network_contradicts_is_refused_with_its_key(here: Path) -> None:
    (here / "net.json").write_text(classifier(end="sigmoid"))
    with pytest.raises(BadConfig, match=r"^x\.json:26: loss\.source: Received: .*ends in sigmoid"):
        order_run(settings_of(here, CLASSES), "x.json")
    (here / "net.json").write_text(classifier().replace("Dense", "Dance"))
    with pytest.raises(BadConfig, match=r"^x\.json:5: layers: Received: net\.json, .*Dance"):
        order_run(settings_of(here, CLASSES), "x.json")


def test_hessian_needs_a_steady_network(here: Path) -> None:
    layers = [
        {"class_name": "Flatten", "config": {"batch_input_shape": [None, 16, 16, 3]}},
        {"class_name": "BatchNormalization", "config": {"name": "norm"}},
        {"class_name": "Dense", "config": {"units": 2, "activation": "softmax"}},
    ]
    text = changed(CLASSES, layers=layers, optimizer={"type": "hessian"})
    with pytest.raises(BadConfig, match=r": optimizer\.type: Hessian for .* layer norm \(Batch"):
        order_run(settings_of(here, text), "x.json")


def test_what_a_plan_refuses_has_the_place_of_its_key(here: Path) -> None:
    (here / "net.json").write_text(classifier())
    text = changed(CLASSES, ddl={"seed": -1})
    with pytest.raises(BadConfig, match=r"^x\.json:\d+: ddl\.seed: Received: seed=-1"):
        order_run(settings_of(here, text), "x.json")


@pytest.mark.parametrize(
    ("message", "key"),
    [
        ("Received: test, which has no pictures.", "data.test_input_path"),  # test/ in the config
        ("Received: one class in train. Expected: no test.", "data.input_path"),
        ("Received: random_horizontal_flip of lines.", "data.transforms.2.random_horizontal_flip"),
        ("Received: batch_size=16 for 3 samples.", "data.batch_size"),
        ("Received: momentum below 0.", "optimizer.momentum"),
        ("Received: NaN in the picture of sample 3.", "data"),
    ],
)
def test_a_problem_is_told_at_the_key_that_it_is_about(here: Path, message: str, key: str) -> None:
    settings = settings_of(here, CLASSES)
    line = f"{settings.places[key]}: {key}: {message}"
    assert str(named_in_config(ValueError(message), settings)) == line


def test_of_keys_with_one_path_the_first_is_named(here: Path) -> None:
    settings = settings_of(here, CLASSES, "data.test_input_path=./train")
    error = named_in_config(ValueError("Received: train, which has no pictures."), settings)
    assert str(error).startswith("x.json:13: data.input_path: ")


@pytest.mark.parametrize("received", ["--resume 7", "run_dir=data, which holds a run"])
def test_a_problem_of_the_command_has_no_place_in_the_config(here: Path, received: str) -> None:
    error = ValueError(f"Received: {received}. Expected: checkpoints.")
    assert named_in_config(error, settings_of(here, CLASSES)) is error


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder with a config, its network and its pictures."""
    make_pictures(tmp_path)
    (tmp_path / "net.json").write_text(classifier())
    (tmp_path / "x.json").write_text(CLASSES)
    return tmp_path


def test_a_dry_run_opens_data_and_network_without_tensorflow(pictures: Path) -> None:
    before = sorted(pictures.rglob("*"))
    code = (
        "import sys; sys.argv = ['run.py', '--config=x.json', '--dry-run']\n"
        "from scripts.run import main\n"
        "try: main()\n"
        "finally: print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        command,
        cwd=pictures,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plan, _, loaded = done.stdout.rpartition("}\n")
    assert loaded == "[]\n"
    assert json.loads(f"{plan}}}")["run_dir"] == "x.run"
    for line in (
        "Network: 3 layers, 122 parameters, 122 of them trainable; input 16x16x3, output 2 (softmax)",
        "Data: train/: 2 classes: a (12), b (12); pictures of 16x16 RGB",
        "Data: 24 samples (image 16x16x3 float32, label a number int64) for training, 2 class(es)",
        "Data: 2 steps an epoch on 1 rank(s)",
        "Run directory: x.run",
    ):
        assert line in done.stderr.splitlines()
    assert sorted(pictures.rglob("*")) == before


def test_a_batch_larger_than_the_data_becomes_all_of_them(pictures: Path) -> None:
    outcome = call(
        "run", "--config=x.json", "--set=data.batch_size=100", "--dry-run", folder=pictures
    )
    assert outcome.told.splitlines()[0] == (
        "--set data.batch_size=100: data.batch_size: 100, but there are 24 training samples. A step takes all of them."
    )
    assert json.loads(outcome.printed)["global_batch_size"] == 24


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            "layers=other.json",
            "--set layers=other.json: layers: other.json does not exist. Expected: a network file.\n",
        ),
        ("data.transforms=[]", ""),
        (
            "data.test_input_path=train/a",
            "--set data.test_input_path=train/a: data.test_input_path: Received: train/a",
        ),
    ],
)
def test_data_that_do_not_fit_are_named_by_their_key(
    pictures: Path, change: str, line: str
) -> None:
    outcome = call("run", "--config=x.json", "--set", change, "--dry-run", folder=pictures)
    assert outcome.status == (2 if line else 0)
    assert outcome.told.startswith(line)
