"""The list of models: its numbers are those of built networks, its forms can be read back."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from ddl.models.listing import as_csv, as_json, as_table, find_models, listed_models, own_size
from ddl.models.published import APPLICATIONS, PUBLISHED
from ddl.models.zoo import named_models
from tests.models.make_zoo import BEGIN, END, check_step, numbers, table
from tests.pages import read_page

SMALL = ("cnn", "simplecnn", "mlp", "vgg1", "vgg3", "resnet20", "densenet21", "mobilenet", "unet")
MOST_WEIGHTS = 30_000_000
"""Larger networks are built by `make_zoo` only."""


def in_list_form(name: str) -> dict[str, object]:
    row = json.loads(as_json([listed_models()[name]]))
    return dict(row[0])


@pytest.mark.parametrize("name", SMALL)
def test_the_numbers_are_those_of_the_built_network(name: str) -> None:
    assert in_list_form(name) == numbers(name)


@pytest.mark.proof
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, row in listed_models().items()
        if row.parameters < MOST_WEIGHTS and name not in SMALL
    ],
)
def test_the_numbers_of_larger_ones_are_too(name: str) -> None:
    assert in_list_form(name) == numbers(name)


@pytest.mark.long("zoo")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", named_models())
def test_a_step_at_its_own_size_is_saved_and_loads_in_plain_keras(name: str) -> None:
    assert in_list_form(name) == numbers(name)
    told = check_step(name)
    assert re.search("saved and loaded in plain Keras|built and counted", told), told


def test_every_model_is_listed_in_the_order_of_the_table() -> None:
    assert list(listed_models()) == named_models()


def test_the_page_has_the_table_of_the_list() -> None:
    page = read_page("models.md")
    assert page.partition(BEGIN)[2].partition(END)[0] == table()


def test_patterns_choose() -> None:
    names = [model.name for model in find_models(["vgg1*", "resnet5?"])]
    assert names == ["resnet50", "resnet56", "vgg1", "vgg11", "vgg13", "vgg16", "vgg19"]
    assert len(find_models([])) == len(named_models())
    with pytest.raises(ValueError, match=r"like='vgg15'. Expected: .*Did you mean 'vgg1"):
        find_models(["vgg1", "vgg15"])


def test_the_forms_have_the_same_values() -> None:
    models = find_models(["vgg*"])
    rows = list(csv.DictReader(io.StringIO(as_csv(models))))
    objects = json.loads(as_json(models))
    assert [row["name"] for row in rows] == [one["name"] for one in objects]
    assert [int(row["multiply_adds"]) for row in rows] == [one["multiply_adds"] for one in objects]
    assert rows[-1]["input_shape"] == "224x224x3"
    assert objects[-1]["input_shape"] == [224, 224, 3]
    assert len(as_table(models).splitlines()) == len(models) + 1


def test_own_sizes_are_those_of_keras() -> None:
    assert own_size("nasnetlarge") == ((331, 331, 3), 1000)
    assert all(own_size(name)[0][0] == one.size for name, one in PUBLISHED.items())
    assert len(APPLICATIONS) == 32
