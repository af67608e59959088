"""The pictures of a run's generator: `samples.png` and `interpolation.png` in its directory."""

from __future__ import annotations

import keras
import numpy as np

from ddl.training.adversarial.samples.fixed_latents import SHOWN, fixed_latents
from ddl.training.adversarial.samples.sheets import draw_sheets
from ddl.training.adversarial.samples.trained_generator import generator_of
from ddl.training.run import Run


def draw_generated(run: Run, model: keras.Model) -> None:
    """Draw both pictures with the weights of now. Only rank 0 calls it."""
    generator = generator_of(model)
    names = run.preprocessing.class_names
    if generator.classes and not names:
        names = tuple(map(str, range(generator.classes)))

    def draw(numbers: np.ndarray) -> np.ndarray:
        return fixed_latents(run.plan.seed, SHOWN, numbers, generator.latent_size)

    draw_sheets(generator, draw, run.plan.run_dir, names if generator.classes else ())
