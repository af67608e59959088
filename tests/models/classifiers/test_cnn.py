"""The small network's parameter count, and the inputs that it refuses."""

from __future__ import annotations

import pytest

from ddl.models.classifiers.cnn import build_cnn
from ddl.models.zoo import build_model, target_of


def test_the_small_network_has_the_published_parameters() -> None:
    model = build_model("cnn", (28, 28, 1), 10)
    assert model.count_params() == 40 + 296 + 147_584 + 1_290
    assert model.output_shape == (None, 10)
    assert target_of("cnn") == "label"
    assert build_model("cnn", (28, 28, 1), 10, width=8, dense=16).count_params() < 50_000


@pytest.mark.parametrize(
    ("shape", "options"),
    [((5, 28, 1), {}), ((None, 28, 1), {}), ((28, 28), {}), ((28, 28, 1), {"dense": 0})],
)
def test_an_impossible_model_is_refused(shape: tuple[int, ...], options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"Received: .* Expected: "):
        build_model("cnn", shape, 10, **options)


def test_a_direct_call_is_checked_too() -> None:
    with pytest.raises(ValueError, match=r"width=0 for model cnn. Expected: at least 1"):
        build_cnn((28, 28, 1), width=0)
