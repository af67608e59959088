"""Drawing the first samples takes no more memory than a training step. Smaller sister of test_rank_memory.py."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from ddl.data.preprocessing import Preprocessing
from ddl.data.sources.synthetic import open_source
from ddl.data.sources.two_paths import InputsOnly
from ddl.training.record.drawings import draw_samples


class Watched(keras.Sequential):  # type: ignore[misc]
    """A model that notes how many samples it is called on."""

    sizes: tuple[int, ...] = ()

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:
        """Note arrays alone: Keras builds a model with symbolic tensors."""
        if isinstance(inputs, np.ndarray):
            self.sizes = (*self.sizes, len(inputs))
        return super().__call__(inputs, *args, **options)


def test_the_model_computes_one_sample_at_a_time(tmp_path: Path) -> None:
    layers = [keras.Input((64, 64, 3)), keras.layers.Conv2D(1, 1, activation="sigmoid")]
    model: Any = Watched(layers)
    run: Any = SimpleNamespace(
        plan=SimpleNamespace(
            run_dir=tmp_path, predicts="mask", ignore_index=None, is_adversarial=False
        ),
        preprocessing=Preprocessing(target="mask", channels=3, classes=1),
    )
    draw_samples(run, open_source(Path("synthetic"), count=3, size=64), model)
    assert model.sizes == (1, 1, 1)
    assert (tmp_path / "samples.png").is_file()


def test_outputs_without_targets_are_drawn_though_they_are_classes(tmp_path: Path) -> None:
    layers = [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]
    run: Any = SimpleNamespace(
        plan=SimpleNamespace(
            run_dir=tmp_path, predicts="mask", ignore_index=None, is_adversarial=False
        ),
        preprocessing=Preprocessing(target="mask", channels=3, classes=1),
    )
    pictures = InputsOnly(open_source(Path("synthetic"), count=2, size=16))
    draw_samples(run, pictures, keras.Sequential(layers))
    assert (tmp_path / "samples.png").is_file()
