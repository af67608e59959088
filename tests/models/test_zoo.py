"""A name and its options build a model; errors for unknown names list the known ones."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from ddl.models.zoo import (
    MODELS,
    Sides,
    build_model,
    needed_sides,
)


def test_options_given_as_texts_build_a_model() -> None:
    options = MODELS.parse("unet", ["width=2,4,4", "depth=2", "norm=none", "residual=yes"])
    model = build_model("unet", (8, 8, 1), 2, **options)
    assert model.output_shape == (None, 8, 8, 2)


def test_the_name_sets_the_depth() -> None:
    assert "depth" not in MODELS.options("resnet20")
    model = build_model("resnet20", (8, 8, 1), 3, width=2)
    assert model.name == "resnet20"
    with pytest.raises(ValueError, match=r"Unknown option of model resnet20. Received: 'depth'"):
        build_model("resnet20", (8, 8, 1), 3, depth=32)


def test_errors_for_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'vnet'. Expected one of: unet, unet_seed"):
        build_model("vnet", (8, 8, 1), 2)
    with pytest.raises(ValueError, match=r"'heads'. Expected: width, depth, norm"):
        MODELS.parse("unet", ["heads=3"])
    with pytest.raises(ValueError, match="Expected one of: sync, batch, group, none"):
        MODELS.parse("resnet50", ["norm=layer"])
    with pytest.raises(ValueError, match="nothing is downloaded"):
        MODELS.parse("unet_encoder", ["weights_file=imagenet"])
    with pytest.raises(ValueError, match="Expected one of: resnet50"):
        MODELS.parse("unet_encoder", ["encoder=lenet"])


def test_listing_and_checking_load_no_framework() -> None:
    code = (
        "import json, sys; from ddl.models import zoo; zoo.MODELS.describe(); "
        "zoo.MODELS.parse('unet_encoder', ['encoder=vgg16']); print(json.dumps(list(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "numpy"} & set(json.loads(done.stdout))


def test_every_model_and_option_is_described() -> None:
    lines = MODELS.describe().splitlines()
    for name in MODELS:
        assert name in lines
    assert "  small_input=False (bool): begin with a 3x3" in MODELS.describe()


@pytest.mark.parametrize(
    ("name", "options", "sides"),
    [
        ("unet", {}, Sides(16, axes=(2, 3))),
        ("unet", {"depth": 2}, Sides(4, axes=(2, 3))),
        ("unet_seed", {}, Sides(128)),
        ("unet_encoder", {"encoder": "vgg16"}, Sides(32, 64, is_fixed=True)),
        ("resnet20", {}, Sides()),
    ],
)
def test_the_table_tells_which_sides_a_model_needs(
    name: str, options: dict[str, Any], sides: Sides
) -> None:
    assert needed_sides(name, options) == sides
