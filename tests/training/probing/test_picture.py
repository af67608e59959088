"""The picture of a probe is drawn whatever the numbers are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ddl.training.probing.picture import draw_probe


def rows(layers: int, epochs: int, value: float | None = 1.0) -> list[dict[str, Any]]:
    """Return rows whose numbers grow with layer and epoch."""
    keys = ("gradient_norm", "weight_norm", "update_ratio", "activation_std", "activation_mean")
    return [
        {
            "epoch": epoch,
            "layers": [
                {
                    "name": f"layer_{at}_$x_{'y' * 40}",
                    "kind": "Dense",
                    "dead_share": None if at % 2 else 0.5,
                    **dict.fromkeys(keys, None if value is None else value * (1 + at) / epoch),
                }
                for at in range(layers)
            ],
        }
        for epoch in range(1, epochs + 1)
    ]


@pytest.mark.parametrize(
    "found",
    [rows(1, 1), rows(60, 3), rows(3, 50, math.nan), rows(2, 2, None), rows(2, 2, 0.0), rows(0, 1)],
    ids=["one", "many", "not finite", "missing", "zeros", "no layers"],
)
def test_it_is_drawn(tmp_path: Path, found: list[dict[str, Any]]) -> None:
    draw_probe(found, tmp_path / "probe.png")
    with Image.open(tmp_path / "probe.png") as picture:
        assert picture.size == (1220, 500)
