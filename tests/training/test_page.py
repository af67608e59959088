"""The page about training names every optimizer, schedule and option, with the defaults that hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ddl.options import Option
from ddl.training.optimization.optimizers import OPTIMIZERS, is_full_batch
from ddl.training.optimization.schedules import SCHEDULES
from tests.pages import find_row, read_page

PAGE = read_page("training.md")


def shown(option: Option) -> str:
    """Return an option's default as the page writes it."""
    value = option.default
    if isinstance(value, tuple):
        return ",".join(f"{number:g}" for number in value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:.6g}"


SHARED = {
    name: option
    for name, option in OPTIMIZERS.options("sgd").items()
    if all(name in OPTIMIZERS.options(other) for other in OPTIMIZERS if not is_full_batch(other))
}


@pytest.mark.parametrize(
    ("names", "options"),
    [(tuple(OPTIMIZERS), OPTIMIZERS.options), (tuple(SCHEDULES), SCHEDULES.options)],
)
def test_every_name_stands_with_its_options(
    names: tuple[str, ...], options: Callable[[str], dict[str, Option]]
) -> None:
    for name in names:
        own = {
            key: option
            for key, option in options(name).items()
            if key not in SHARED or option.default != SHARED[key].default
        }
        expected = ", ".join(f"`{key}`={shown(option)}" for key, option in own.items())
        assert find_row(PAGE, name).split("|")[2].strip() == expected, name


def test_what_all_optimizers_share_stands_once() -> None:
    for name, option in SHARED.items():
        assert find_row(PAGE, name).split("|")[2].strip() == shown(option), name
