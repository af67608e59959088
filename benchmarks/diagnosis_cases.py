"""Runs on which the diagnosis is calibrated, ill ones and well ones, and fresh ones. No TensorFlow here.

A case says everything: model, data, plan, seed, and what is wrong with it ("" for a run that is well).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """A training run.

    Attributes:
        name: its name.
        ill: the check that should name it, "" for a run that is well.
        data: a name in benchmarks.diagnosis_data.DATA.
        fields: of the plan, besides those that all runs have.
        seed: of the plan and of the data.
        options: of the data.
    """

    name: str
    ill: str
    data: str
    fields: dict[str, Any]
    seed: int
    options: dict[str, Any] = field(default_factory=dict)


_CNN = {"model": "cnn", "model_option": {"dense": 32}}
_NET = {"model": "plain_net"}
_UNET = {"model": "unet", "model_option": {"width": 4, "depth": 2}}
_MASKS = {"loss": "binary_crossentropy", "metric": ("dice",)}
_MSE = {
    "model": "unet",
    "model_option": {"width": 4, "depth": 2, "output": "linear"},
    "loss": "mse",
    "metric": (),
}

ILL = (
    Case(
        "sgd_rate_1000",
        "loss not finite",
        "discs",
        {**_MSE, "optimizer": "sgd", "learning_rate": 1e3},
        11,
    ),
    Case(
        "rising_rate",
        "diverging",
        "discs",
        {
            **_MSE,
            "optimizer": "sgd",
            "optimizer_option": {"global_clipnorm": 1.0},
            "learning_rate": 1.0,
            "warmup_epochs": 12,
            "warmup_from": 0.01,
            "epochs": 12,
        },
        12,
    ),
    Case(
        "adam_rate_0.1", "rate too high", "shapes", {**_CNN, "learning_rate": 0.1, "epochs": 14}, 13
    ),
    Case(
        "adam_rate_1e-7",
        "rate too low",
        "shapes",
        {**_CNN, "learning_rate": 1e-7, "epochs": 12},
        14,
    ),
    Case(
        "linear_parity",
        "plateau",
        "parity",
        {**_NET, "model_option": {"depth": 0}, "learning_rate": 1e-2, "epochs": 40},
        15,
        {"count": 1600},
    ),
    Case(
        "few_wrong_labels",
        "overfitting",
        "shapes",
        {**_CNN, "learning_rate": 3e-3, "epochs": 30},
        16,
        {"count": 60, "wrong": 0.4},
    ),
    Case(
        "invisible_spots",
        "stuck at the trivial answer",
        "rare",
        {**_UNET, **_MASKS, "learning_rate": 1e-2, "epochs": 10},
        17,
    ),
    Case(
        "large_weights",
        "exploding gradients",
        "shapes",
        {
            **_NET,
            "model_option": {"depth": 14, "scale": 4.0, "activation": "tanh"},
            "optimizer_option": {"global_clipnorm": 1.0},
            "epochs": 10,
        },
        18,
    ),
    Case(
        "deep_sigmoid",
        "vanishing gradients",
        "shapes",
        {**_NET, "model_option": {"depth": 10, "activation": "sigmoid"}, "epochs": 10},
        19,
    ),
    Case(
        "negative_bias",
        "dead units",
        "shapes",
        {**_NET, "model_option": {"depth": 3, "bias": -1.5}, "epochs": 10},
        20,
    ),
    Case(
        "slow_disk",
        "input-bound",
        "slow",
        {**_CNN, "profile": 20, "data_threads": 1, "epochs": 4},
        21,
    ),
    Case("blind_validation", "validation odd", "unlike", {**_CNN, "epochs": 10}, 22),
)

WELL = (
    Case("cnn_adam", "", "shapes", {**_CNN, "epochs": 12}, 31),
    Case(
        "cnn_sgd_momentum",
        "",
        "shapes",
        {
            **_CNN,
            "optimizer": "sgd",
            "optimizer_option": {"momentum": 0.9},
            "learning_rate": 0.02,
            "epochs": 12,
        },
        32,
    ),
    Case(
        "mlp_adamw_cosine",
        "",
        "shapes",
        {"model": "mlp", "optimizer": "adamw", "schedule": "cosine", "epochs": 15},
        33,
    ),
    Case(
        "net_tanh",
        "",
        "shapes",
        {**_NET, "model_option": {"activation": "tanh", "depth": 3}, "epochs": 12},
        34,
    ),
    Case(
        "net_norm_deep",
        "",
        "shapes",
        {**_NET, "model_option": {"depth": 8, "norm": True}, "epochs": 12},
        35,
    ),
    Case(
        "unet_dice",
        "",
        "discs",
        {**_UNET, "metric": ("dice",), "learning_rate": 3e-3, "epochs": 10},
        36,
    ),
    Case(
        "unet_crossentropy",
        "",
        "discs",
        {**_UNET, **_MASKS, "learning_rate": 3e-3, "epochs": 10},
        37,
    ),
    Case(
        "visible_spots",
        "",
        "rare",
        {**_UNET, "learning_rate": 1e-2, "epochs": 20},
        38,
        {"seen": 0.4},
    ),
    Case(
        "resnet20_augmented",
        "",
        "shapes",
        {"model": "resnet20", "augment": {"flip": False, "brightness": 0.1}, "epochs": 6},
        39,
    ),
    Case("low_rate_many_epochs", "", "shapes", {**_CNN, "learning_rate": 2e-4, "epochs": 25}, 40),
    Case("few_epochs", "", "shapes", {**_CNN, "learning_rate": 2e-3, "epochs": 3}, 41),
    Case(
        "dropout_noise",
        "",
        "shapes",
        {"model": "cnn", "model_option": {"dense": 64, "dropout": 0.3}, "epochs": 15},
        42,
        {"noise": 0.4, "count": 960},
    ),
)

FRESH = (
    Case(
        "unet_sgd_rate_1e-6",
        "rate too low",
        "discs",
        {**_UNET, "optimizer": "sgd", "learning_rate": 1e-6, "epochs": 12},
        51,
    ),
    Case(
        "mlp_few_samples",
        "overfitting",
        "shapes",
        {"model": "mlp", "epochs": 40},
        52,
        {"count": 40, "noise": 0.5},
    ),
    Case(
        "resnet20_rate_1",
        "rate too high",
        "shapes",
        {"model": "resnet20", "learning_rate": 1.0, "epochs": 8},
        53,
    ),
    Case("cnn_rmsprop", "", "shapes", {**_CNN, "optimizer": "rmsprop", "epochs": 12}, 54),
    Case(
        "unet_adamw_cosine",
        "",
        "discs",
        {**_UNET, "optimizer": "adamw", "schedule": "cosine", "learning_rate": 5e-3, "epochs": 12},
        55,
    ),
    Case(
        "net_gelu_constant",
        "",
        "shapes",
        {
            **_NET,
            "model_option": {"activation": "gelu", "depth": 4},
            "learning_rate": 5e-4,
            "epochs": 20,
        },
        56,
    ),
)
"""Chosen before the first look at their results; no threshold was changed after it."""
