"""What a command of PyDTNN becomes: fields of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.io import imsave

from ddl.config.pydtnn.flag import ONE, SEED, THREE
from ddl.config.pydtnn.translation import translate
from ddl.training.optimization.schedules import Course, learning_rate_at
from ddl.training.plan.plan import Plan

COMMAND_2020 = """
--model=simplecnn --dataset=mnist --dataset_train_path=../datasets/mnist --dataset_test_path=../datasets/mnist
--batch_size=64 --validation_split=0.2 --num_epochs=10 --optimizer=Adam --learning_rate=0.01
--loss_func=categorical_accuracy,categorical_cross_entropy --parallel=data --blocking_mpi --dtype=float32 --evaluate
"""


def fields(command: str, generation: str | None = None, ranks: int = 1) -> dict[str, Any]:
    return translate(command.split(), generation, ranks).fields


def notes(command: str, generation: str | None = None, ranks: int = 1) -> str:
    return " ".join(translate(command.split(), generation, ranks).notes)


def test_the_command_of_2020_is_a_plan() -> None:
    assert fields(COMMAND_2020, ranks=12) == {
        "model": "cnn",
        "data": "../datasets/mnist",
        "evaluate": True,
        "per_rank_batch_size": 64,
        "validation_part": 0.2,
        "epochs": 10,
        "optimizer": "adam",
        "optimizer_option": {"beta_1": 0.99, "beta_2": 0.999, "epsilon": 1e-8},
        "learning_rate": 0.01,
        "learning_rate_scaling": "none",
        "warmup_epochs": 0.0,
        "loss": "categorical_crossentropy",
        "metric": ("top_1",),
    }


@pytest.mark.parametrize("generation", [SEED, ONE, THREE])
def test_the_defaults_of_each_generation_are_a_valid_plan(generation: str) -> None:
    assert Plan(run_dir="run", **fields("", generation)).per_rank_batch_size == 64


def test_simplecnn_is_that_of_the_generation_and_a_line_says_which() -> None:
    assert fields("--model=simplecnn")["model"] == "cnn"
    assert "149,210 weights" in notes("--model=simplecnn")
    assert fields("--model=simplecnn --nesterov")["model"] == "simplecnn"
    assert "202,458 weights" in notes("--model=simplecnn", THREE)


@pytest.mark.parametrize(
    ("command", "generation", "expected"),
    [
        ("", SEED, ("sgd", {"momentum": 0.9})),
        ("--optimizer=SGD --momentum=0.5", SEED, ("sgd", {})),
        ("--optimizer=rmsprop --decay_rate=0.8", SEED, ("rmsprop", {"rho": 0.8, "epsilon": 1e-8})),
        ("--nesterov=True", ONE, ("sgd", {"momentum": 0.9, "nesterov": True})),
        ("--decay=0.1", ONE, ("sgd", {"momentum": 0.9, "weight_decay": 0.1})),
        ("--optimizer=rmsprop", ONE, ("rmsprop", {"rho": 0.99, "epsilon": 1e-8})),
        ("--optimizer=rmsprop", THREE, ("rmsprop", {"rho": 0.9, "epsilon": 1e-7})),
        (
            "--optimizer=nadam --beta1=0.8",
            ONE,
            ("nadam", {"beta_1": 0.8, "beta_2": 0.999, "epsilon": 1e-8}),
        ),
        (
            "--optimizer-momentum=0 --optimizer-decay=0.1",
            THREE,
            ("sgd", {"weight_decay": 0.1}),
        ),
    ],
)
def test_optimizers_keep_their_options(
    command: str, generation: str, expected: tuple[str, dict[str, Any]]
) -> None:
    found = fields(command, generation)
    assert (found["optimizer"], found["optimizer_option"]) == expected


@pytest.mark.parametrize(
    ("command", "generation", "scaling"),
    [
        ("--optimizer=SGD", SEED, "none"),
        ("", ONE, "linear"),
        ("--learning_rate_scaling=False", ONE, "none"),
        ("--optimizer=adam", ONE, "none"),
        ("--optimizer=adam", THREE, "linear"),
        ("--global-batch-size=256", THREE, "none"),
        ("--no-learning-rate-scaling", THREE, "none"),
    ],
)
def test_the_rate_grows_with_ranks_as_each_generation_documents_it(
    command: str, generation: str, scaling: str
) -> None:
    found = fields(command, generation)
    assert found["learning_rate_scaling"] == scaling
    assert found["warmup_epochs"] == 0


def rates(command: str, generation: str, ranks: int, epochs: int) -> list[float]:
    """Return the rate at the start of each epoch, of four steps each."""
    words = f"{command} --num_epochs={epochs}"
    plan = Plan(run_dir="run", **fields(words, generation, ranks))
    course = Course(
        plan.schedule,
        plan.learning_rate,
        steps_per_epoch=4,
        epochs=epochs,
        warmup_epochs=plan.warmup_epochs,
        warmup_from=plan.warmup_from,
        warmup_shape=plan.warmup_shape,
        scaling=plan.learning_rate_scaling,
        ranks=ranks,
        options=plan.schedule_option,
    )
    return [float(learning_rate_at(4 * epoch, course)) for epoch in range(epochs)]


def test_a_warm_up_of_1x_rises_from_the_nth_part_of_the_scaled_rate() -> None:
    words = "--lr_schedulers=warm_up --warm_up_epochs=4 --learning_rate=0.1"
    assert rates(words, ONE, 4, 6) == pytest.approx([0.1, 0.175, 0.25, 0.325, 0.4, 0.4])
    words += " --learning_rate_scaling=False"
    assert rates(words, ONE, 4, 6) == pytest.approx([0.025, 0.04375, 0.0625, 0.08125, 0.1, 0.1])


def test_a_rate_that_falls_every_few_epochs_stops_above_its_floor() -> None:
    words = (
        "--lr_schedulers=reduce_lr_every_nepochs --reduce_lr_every_nepochs_nepochs=2 --learning_rate=1"
        " --reduce_lr_every_nepochs_factor=0.1 --reduce_lr_every_nepochs_min_lr=0.05"
    )
    assert rates(words, ONE, 1, 7) == pytest.approx([1, 1, 0.1, 0.1, 0.1, 0.1, 0.1])


def test_two_schedules_at_once_are_both_kept() -> None:
    words = "--lr_schedulers=reduce_lr_every_nepochs,reduce_lr_on_plateau"
    found = fields(words + " --reduce_lr_on_plateau_metric=val_categorical_accuracy")
    assert found["schedule"] == "step"
    assert found["plateau"]["monitor"] == "val_top_1"
    Plan(run_dir="run", **found)


def test_the_standard_schedulers_of_1x_are_kept() -> None:
    found = fields("--early_stopping_patience=3")
    assert found["early_stopping_patience"] == 3
    assert found["restore_best"] is True
    assert found["schedule"] == "plateau"
    assert found["schedule_option"] == {"factor": 0.1, "patience": 5, "min_delta": 0.0}
    assert found["checkpoint_every_epochs"] == 1  # the best weights come back
    assert fields("--lr_schedulers=model_checkpoint")["checkpoint_every_epochs"] == 2


@pytest.mark.parametrize(
    ("flags", "target"),
    [
        ("--stop_at_loss_metric=val_loss --stop_at_loss_threshold=0.1", "val_loss=0.1"),
        ("--stop_at_loss_threshold=0.9", "val_top_1=0.9"),
        ("--stop_at_loss_threshold=97.5", "val_top_1=0.975"),
    ],
)
def test_a_run_stops_at_a_threshold(flags: str, target: str) -> None:
    assert fields(f"--lr_schedulers=stop_at_loss {flags}")["target"] == target


def test_accuracies_in_per_cent_are_told() -> None:
    words = "--lr_schedulers=stop_at_loss --stop_at_loss_threshold=97.5"
    assert "97.5 per cent are 0.975" in notes(words)


@pytest.mark.parametrize(
    ("command", "generation", "expected"),
    [
        (
            "--dataset_train_path=a --dataset_test_path=b --evaluate",
            SEED,
            {"data": "a", "validation_data": "b", "test_data": "b", "evaluate": True},
        ),
        (
            "--dataset_train_path=a --dataset_test_path=b --test_as_validation=True",
            ONE,
            {"data": "a", "validation_data": "b"},
        ),
        ("--dataset-path=a", THREE, {"data": "a", "validation_part": 0.2, "seed": 57005}),
        ("--dataset=cifar10", SEED, {"data": "datasets/cifar10"}),
        (
            "--dataset=synthetic --synthetic-input-shape=1,16,24 --synthetic-output-shape=4",
            THREE,
            {
                "data": "synthetic-labels",
                "image_size": (16, 24),
                "data_option": {"count": 1000, "classes": 4, "channels": 1},
            },
        ),
        ("--use-class-weights", THREE, {"class_weight": "balanced"}),
        ("--use-class-weights --class-weights=1,3.5", THREE, {"class_weight": "0=1,1=3.5"}),
        ("--flip_images=True --flip_images_prob=0.3", ONE, {"augment": {"flip_horizontal": 0.3}}),
        (
            "--augment-rotate=1 --augment-rotate-degree=20 --augment-vertical-flip=0.1",
            THREE,
            {"augment": {"flip_vertical": 0.1, "rotation_degrees": 20.0}},
        ),
        (
            "--input-crop --input-scale --input-scale-size=64 --input-normalize",
            THREE,
            {"augment": {"central_crop": 0.875}, "image_size": (64, 64), "normalize": "channels"},
        ),
        ("--global_batch_size=96", ONE, {"global_batch_size": 96}),
        ("--steps_per_epoch=7", SEED, {"steps_per_epoch": 7}),
        ("--tracing", SEED, {"profile": 20}),
        ("--model-sync-quantize", THREE, {"compression": "fp16"}),
        ("--weights_and_bias_filename=a.keras", ONE, {"init_weights": "a.keras"}),
        ("--metrics=categorical_accuracy", ONE, {"metric": ("top_1",)}),
    ],
)
def test_a_setting_becomes_a_field(command: str, generation: str, expected: dict[str, Any]) -> None:
    found = fields(command, generation)
    assert {name: found.get(name) for name in expected} == expected


def test_without_a_validation_split_the_test_data_validate_and_a_line_says_so() -> None:
    assert "the test data validate" in notes("--dataset_train_path=a")
    assert "validation_part" not in fields("--dataset_train_path=a")


def test_a_flag_of_a_scheduler_that_is_not_named_has_no_effect() -> None:
    assert "--warm_up_epochs" in notes("--warm_up_epochs=3")
    assert "--flip_images_prob" in notes("--flip_images_prob=0.3")


@pytest.mark.parametrize(
    ("command", "ranks", "message"),
    [
        ("--parallel=sequential", 2, "--parallel=data"),
        ("--no-parallel-data", 2, "--parallel-data"),
        ("--parallel=hybrid", 1, "layers are not split over ranks"),
        ("--dtype=float64", 1, "keras.json"),
        ("--optimizer=oktopk", 1, "sparse reduction is not here"),
        ("--optimizer=Nadam --parallel=data --blocking_mpi", 1, "one of SGD, SGDMomentum"),
        ("--density=0.1", 1, "sparse reduction is not here"),
        ("--tensor_format=NCHW", 1, "NHWC"),
        ("--encryption=ckks", 1, "nothing is encrypted"),
        ("--model-sync-freq=4", 1, "local steps"),
        ("--parallel-pipeline", 1, "delayed ones"),
        ("--dataset=iwslt", 1, "one of mnist, cifar10, imagenet"),
        ("--dataset-lang=fr", 1, "translation of texts"),
        ("--model=bert", 1, "no classifier of pictures"),
        ("--model=resnet19", 1, "resnet18"),
        ("--validation_split=1.0", 1, "below 1"),
        ("--weights_and_bias_filename=a.npz", 1, ".npz weights are not read"),
        ("--evaluate_only=True", 1, "scripts/evaluate.py"),
        ("--crop_images=True", 1, "pad_crop=4"),
        ("--augment-rotate=0.5", 1, "0 or 1"),
        ("--augment-blur=0.5", 1, "--augment"),
        ("--augment-brightness=0.5", 1, "brightness=0.2"),
        ("--no-augment-shuffle", 1, "a new order"),
        ("--quantize", 1, "--precision int8"),
        ("--dataset-percentage=0.5", 1, "--steps-per-epoch"),
        ("--optimizer-decay=0.1 --optimizer=adam", 1, "--optimizer-decoupled-decay"),
        ("--loss_func=categorical_hinge", 1, "one of categorical_cross_entropy"),
        ("--metrics=precision", 1, "scripts/evaluate.py"),
        ("--lr_schedulers=cosine", 1, "some of early_stopping"),
        ("--early_stopping_metric=val_f1", 1, "or one of them behind val_"),
        ("--early_stopping_metric=val_categorical_accuracy", 1, "the metric of early stopping"),
        ("--no-early-stopping-minimize", 1, "lower values of val_loss"),
        ("--batch_size=8 --global_batch_size=16", 1, "one of them"),
        ("--synthetic-input-shape=3,32 --dataset=synthetic", 1, "such as 3,32,32"),
        ("--model-sync-quantize --model-sync-dtype=int8", 1, "one of float16"),
    ],
)
def test_what_is_not_here_is_refused_with_a_remedy(command: str, ranks: int, message: str) -> None:
    with pytest.raises(ValueError, match=r"^Received: ") as raised:
        translate(command.split(), None, ranks)
    assert message in str(raised.value)
    assert " Expected" in str(raised.value)


def test_ranks_without_the_flag_train_together_and_a_line_says_so() -> None:
    assert "4 ranks train one network" in notes("--model=vgg11", ONE, 4)
    assert "ranks train" not in notes("--model=vgg11", ONE, 1)


def test_data_keep_a_validation_part_of_their_own(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            imsave(
                tmp_path / split / name / "1.png",
                np.zeros((8, 8, 3), np.uint8),
                check_contrast=False,
            )
    words = f"--dataset=imagenet --dataset_train_path={tmp_path} --validation_split=0.3"
    found = fields(words)
    assert "validation_part" not in found
    assert "validation_data" not in found
    assert "--validation_split does not change" in notes(words)


def test_the_npz_files_of_1x_have_channels_first_and_classes_from_1_on(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 3, 8, 8), np.uint8), y=np.ones((2, 1), np.int64))
    found = fields(f"--dataset=imagenet --dataset_train_path={tmp_path}")
    assert found["data_option"] == {"channels_first": True, "label_base": 1}
