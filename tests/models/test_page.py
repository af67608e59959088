"""The page about models lists every model, loss, metric and option with its default."""

from __future__ import annotations

from ddl.models.encoders import ENCODERS
from ddl.models.zoo import MODELS
from ddl.training.objectives.losses import LOSSES
from ddl.training.objectives.metrics import METRICS
from tests.pages import find_row, read_page

PAGE = read_page("models.md")


def row(name: str) -> str:
    return find_row(PAGE, name)


def test_every_name_and_option_is_on_the_page() -> None:
    for name in MODELS:
        assert row(name)
        for option in MODELS.options(name):
            assert row(option)
    _, rest = PAGE.split("## Losses")  # a model and a loss may have one name
    losses, metrics = rest.split("## Metrics")
    for table, part in ((LOSSES, losses), (METRICS, metrics)):
        for name in table:
            text = find_row(part, name)
            assert all(f"`{option}`" in text for option in table.options(name)), name


def test_the_defaults_of_the_u_nets_are_those_of_the_table() -> None:
    columns = ("unet", "unet_seed", "unet_encoder")
    names = dict.fromkeys(option for column in columns for option in MODELS.options(column))
    for name in names:
        cells = [cell.strip() for cell in row(name).split("|")[2:5]]
        found = [MODELS.options(column).get(name) for column in columns]
        shown = ["" if option is None else f"{option.default}".lower() for option in found]
        assert [cell.replace("0.0", "0") for cell in shown] == cells, name


def test_every_encoder_is_on_the_page() -> None:
    sizes = {f"efficientnetb{size}" for size in range(1, 7)} | {
        "efficientnetv2b1",
        "efficientnetv2b2",
    }
    assert [name for name in ENCODERS if f"`{name}`" not in PAGE and name not in sizes] == []
