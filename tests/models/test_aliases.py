"""Every name of the PyDTNN launcher's zoo stands for a model of ours."""

from __future__ import annotations

import json

import pytest

from ddl.models.aliases import ALIASES, OUT_OF_SCOPE, find_alias
from ddl.models.zoo import MODELS
from ddl.training.plan.plan_flags import plan_from_flags
from tests.scripts.in_process import call

SMALL = "simplecnn simplemlp vgg1 vgg2 vgg3 vgg3do vgg3do2 vgg3dobn"
OF_1 = (
    *SMALL.split(),
    *("alexnet", "alexnet_imagenet", "alexnet_cifar10", "vgg11", "vgg11_imagenet", "vgg16"),
    *("vgg16_imagenet", "vgg19_imagenet", "vgg11_cifar10", "vgg16_cifar10", "vgg11bn_cifar10"),
    *("vgg16bn_cifar10", "googlenet_cifar10", "googlenet_imagenet", "inceptionv3_cifar10"),
    *("inceptionv3_imagenet", "densenet_cifar10", "mobilenetv1_cifar10"),
    *(
        f"densenet{depth}_{data}"
        for depth in (121, 161, 169, 201)
        for data in ("cifar10", "imagenet")
    ),
    *(f"resnet{depth}_cifar10" for depth in (18, 20, 32, 34, 44, 50, 56, 101, 110, 152, 1202)),
    *(f"resnet{depth}_imagenet" for depth in (18, 34, 50, 101, 152)),
    "resnet50v15_imagenet",
)
"""The 51 names of 1.1.1rc1."""

OF_3 = (
    *(name for name in OF_1 if name != "densenet_cifar10"),
    *("googlenet", "inceptionv3", "mobilenetv1", "vgg11bn", "vgg16bn", "vgg19"),
    *(f"densenet{depth}" for depth in (121, 161, 169, 201)),
    *(f"resnet{depth}" for depth in (10, 18, 20, 32, 34, 44, 50, 56, 101, 110, 152, 1202)),
    *("densenet21k8", "densenet53k12", "densenet121k12_cifar10"),
    *("mobilenetv1_pytorch", "mobilenetv1_tensorflow", "mobilenetv1_tiny"),
    *("mobilenetv2_pytorch", "mobilenetv2_tiny", "vgg16_pytorch", "vgg16_tensorflow"),
    *("resnet50_pytorch", "resnet50_tensorflow", "resnet50_from_pytorch"),
    *("resnet50_converter_pytorch", "densenet169_from_pytorch", "densenet169_coverter_pytorch"),
    *OUT_OF_SCOPE,
)
"""The 94 names of 3.11.0."""


def test_both_generations_are_whole() -> None:
    assert (len(set(OF_1)), len(set(OF_3))) == (51, 94)
    assert sorted({*OF_1, *OF_3} - {*ALIASES, *OUT_OF_SCOPE}) == []


@pytest.mark.parametrize("name", ALIASES)
def test_an_alias_names_a_model_with_valid_options(name: str) -> None:
    alias = find_alias(name)
    assert MODELS.check(alias.model, **alias.options) == dict(alias.options)
    assert "\n" not in alias.note


def test_broken_networks_have_a_note() -> None:
    broken = ("googlenet_imagenet", "inceptionv3_imagenet", "resnet44_cifar10", "resnet18_imagenet")
    assert all(ALIASES[name].note for name in (*broken, "densenet121_imagenet"))


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model='bert', which is no classifier of pictures"):
        find_alias("bert")
    with pytest.raises(ValueError, match=r"model='vgg15'. Expected one of: .* Did you mean"):
        find_alias("vgg15")


def test_the_classifier_script_takes_them_and_says_what_each_stands_for() -> None:
    flags = ("--data", "synthetic-labels", "--model", "densenet121_imagenet", "--dry-run")
    outcome = call("train_cnn", *flags, "--model-option", "dropout=0.1")
    plan = json.loads(outcome.printed)
    assert (plan["model"], plan["model_option"]) == ("densenet121", {"dropout": 0.1})
    assert "Model densenet121_imagenet is densenet121. The original's stem" in outcome.told


def test_an_option_of_the_user_wins_over_that_of_an_alias() -> None:
    given = {"model": "vgg16bn", "model_option": ("norm=group",), "run_dir": "none", "data": "x"}
    plan = plan_from_flags(given, {"loss": "categorical_crossentropy", "metric": ("top_1",)})
    assert plan.model_option == {"norm": "group", "bias": True}
