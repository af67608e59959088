"""Train a model of the zoo for ten steps: on the ranks of a pooled job, or in one process of plain Keras.

Both start from the same saved model. 77 samples in batches of 8 give a last step of 5, which ranks share unevenly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.distributed.cases import Case
from tests.distributed.row import Arrays, PlainKeras, Ranks, build

CLASSES = 10
LEARNING_RATE = 1e-4
"""Small, because deep networks that normalize few numbers amplify rounding, in one process too: MobileNet at 32 pixels,
whose last layers normalize 8 numbers, ends 7e-9 apart when its first weights differ by 1e-15, at 64 pixels 4e-13."""

CASE = Case("zoo", samples=77, batch=8, epochs=1)


def train_on_ranks(
    path: Path, name: str, options: dict[str, Any], shape: list[int]
) -> Arrays | None:
    """Build and save the model, train it on all ranks; rank 0 returns its weights."""
    from ddl.models.zoo import build_model

    use_float64()
    trainer = Ranks()
    keras.utils.set_random_seed(7)
    model = build_model(name, shape, CLASSES, **options)
    if trainer.part.rank:
        for variable in model.trainable_variables:  # rank 0's weights must reach everyone
            variable.assign(variable * 1.5 + 0.1)
    else:
        model.save(path)
    found = _train(trainer, model)
    return None if trainer.part.rank else found


def train_in_plain_keras(path: Path) -> Arrays:
    """Load the saved model without `ddl`, train it in one process, and return its weights."""
    use_float64()
    return _train(PlainKeras(), keras.models.load_model(path))


def use_float64() -> None:
    """Let Keras compute in float64."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


def _train(trainer: PlainKeras, model: keras.Model) -> Arrays:
    rng = np.random.default_rng(1)
    pictures = rng.random((CASE.samples, *model.input_shape[1:]))
    targets = np.eye(CLASSES)[rng.integers(0, CLASSES, CASE.samples)]
    optimizer = keras.optimizers.SGD(LEARNING_RATE, momentum=0.9)
    model.compile(trainer.optimizer(optimizer, CASE), "categorical_crossentropy", jit_compile=False)
    build(model, targets)
    fed = trainer.part.dataset(CASE, (pictures, targets, None))
    history = model.fit(fed, epochs=1, verbose=0, callbacks=trainer.callbacks())
    trainer.finish(model)
    values = {
        f"{at} {variable.path}": variable.numpy() for at, variable in enumerate(model.weights)
    }
    return {**values, "loss": np.asarray(history.history["loss"], np.float64)}
