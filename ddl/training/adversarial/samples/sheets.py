"""The pictures of a generator in a run directory: `samples.png`, and `interpolation.png` between latent vectors.

Both show the same latent vectors after every epoch, so that two of them can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ddl.training.adversarial.samples.grid import draw_grid
from ddl.training.adversarial.samples.latent_way import spherical_way
from ddl.training.record.figure import shortened

SAMPLES, INTERPOLATION = "samples.png", "interpolation.png"
COLUMNS, ROWS, MOST_ROWS = 8, 8, 20
WAYS = 6
_TITLE_CHARACTERS = 11

FromLatents = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
"""Latent vectors (n, d), and labels (n,) or None -> pictures (n, height, width, channels) of 0..1."""
Draw = Callable[[np.ndarray], np.ndarray]
"""Numbers (n,) -> the latent vectors (n, d) of these numbers, always the same."""


def draw_sheets(
    generate: FromLatents, draw: Draw, folder: Path, class_names: Sequence[str] = ()
) -> None:
    """Draw both pictures. Only rank 0 calls it.

    Args:
        generate: the generator, with the weights to show.
        draw: the fixed latent vectors.
        folder: the run directory.
        class_names: a name for each class of a conditional generator, whose rows are classes; empty for others.
    """
    draw_fixed(generate, draw, folder / SAMPLES, class_names)
    draw_ways(generate, draw, folder / INTERPOLATION, class_names)


def draw_fixed(
    generate: FromLatents, draw: Draw, path: Path, class_names: Sequence[str] = ()
) -> None:
    """Draw the samples of fixed latent vectors: 8 x 8, or 8 for each class, the same ones in every row."""
    if not class_names:
        draw_grid(generate(draw(np.arange(ROWS * COLUMNS)), None), COLUMNS, path)
        return
    rows = min(len(class_names), MOST_ROWS)
    latents = np.tile(draw(np.arange(COLUMNS)), (rows, 1))
    labels = np.repeat(np.arange(rows), COLUMNS)
    titles = [shortened(name, _TITLE_CHARACTERS) for name in class_names[:rows]]
    draw_grid(generate(latents, labels), COLUMNS, path, titles)


def draw_ways(
    generate: FromLatents, draw: Draw, path: Path, class_names: Sequence[str] = ()
) -> None:
    """Draw a row for each of some ways from one fixed latent vector to another, of one class each."""
    ends = draw(np.arange(2 * WAYS)).reshape(WAYS, 2, -1)
    latents = np.concatenate([spherical_way(one, other, COLUMNS) for one, other in ends])
    if not class_names:
        draw_grid(generate(latents, None), COLUMNS, path)
        return
    labels = np.arange(WAYS) % len(class_names)
    titles = [shortened(class_names[int(label)], _TITLE_CHARACTERS) for label in labels]
    draw_grid(generate(latents, np.repeat(labels, COLUMNS)), COLUMNS, path, titles)
