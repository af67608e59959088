"""Makes pictures with a trained generator on all ranks, and writes them. Pictures that are there already are skipped.

A sample's latent vector depends on seed and number alone, so N ranks write what one rank does.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import ddl.distributed as dist
from ddl.distributed.on_ranks import on_all, on_root
from ddl.files import write_whole
from ddl.inference.output_folder import disk_error, hold_output
from ddl.inference.sampling.sampling import Sampling
from ddl.inference.trained_model import TrainedModel
from ddl.training.adversarial.samples.fixed_latents import ASKED, fixed_latents
from ddl.training.adversarial.samples.grid import draw_grid
from ddl.training.adversarial.samples.trained_generator import TrainedGenerator, load_generator

GRID = "grid.png"
_TOGETHER = 50
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def sample_name(number: int) -> str:
    """Return the file name of a sample."""
    return f"sample_{number:05d}.png"


def generate_samples(sampling: Sampling, model: TrainedModel) -> int:
    """Make and write the samples. Return how many pictures this call has written, over all ranks.

    All ranks must call it, after `init`.

    Raises:
        ValueError: on all ranks: the file holds no generator, it has no such class, or nothing can be written.
    """
    generator = on_all(lambda: load_generator(model.file))
    _check(sampling, generator)
    facts = sampling.facts() | {"model": on_root(model.digest)}
    with contextlib.ExitStack() as stack:
        on_root(lambda: stack.enter_context(hold_output(sampling.output, facts)))
        return int(dist.allreduce(on_all(lambda: _write(sampling, generator)), "sum"))


def _check(sampling: Sampling, generator: TrainedGenerator) -> None:
    """Refuse a class that the generator does not have, and pictures that no PNG file holds."""
    if sampling.label is not None and not generator.classes:
        raise ValueError(
            f"Received: label={sampling.label} for a generator that knows no classes. Expected: no label; or a run "
            "that was trained conditional."
        )
    if sampling.label is not None and sampling.label >= generator.classes:
        raise ValueError(
            f"Received: label={sampling.label}. Expected: 0 to {generator.classes - 1}, the generator's classes."
        )
    if generator.channels not in _MODES:
        raise ValueError(
            f"Received: a generator of {generator.channels} channels. Expected: 1, 3 or 4, as PNG files have."
        )


def _write(sampling: Sampling, generator: TrainedGenerator) -> int:
    """Write this rank's pictures, or on rank 0 the grid. Return how many."""
    try:
        if sampling.grid:
            if not dist.is_root() or (sampling.output / GRID).exists():
                return 0
            parts = [generator(*part[1:]) for part in _parts(sampling, generator, 0, 1)]
            columns = min(sampling.columns, sampling.samples)
            draw_grid(np.concatenate(parts), columns, sampling.output / GRID)
            return 1
        return sum(
            _write_part(sampling.output, numbers, generator(latents, labels))
            for numbers, latents, labels in _parts(sampling, generator, dist.rank(), dist.size())
        )
    except OSError as error:
        raise disk_error(sampling.output, error) from error


def _parts(
    sampling: Sampling, generator: TrainedGenerator, rank: int, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Yield numbers, latent vectors and labels of a rank's batches that lack a file."""
    for first in range(rank * _TOGETHER, sampling.samples, size * _TOGETHER):
        numbers = np.arange(first, min(first + _TOGETHER, sampling.samples))
        if not sampling.grid and all(
            (sampling.output / sample_name(int(n))).exists() for n in numbers
        ):
            continue
        labels = None
        if generator.classes:
            turns = numbers % generator.classes
            labels = turns if sampling.label is None else np.full_like(numbers, sampling.label)
        yield numbers, fixed_latents(sampling.seed, ASKED, numbers, generator.latent_size), labels


def _write_part(folder: Path, numbers: np.ndarray, pictures: np.ndarray) -> int:
    values = np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)
    for number, pixels in zip(numbers, values, strict=True):
        channels = pixels.shape[-1]
        image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels, _MODES[channels])
        write_whole(folder / sample_name(int(number)), functools.partial(image.save, format="PNG"))
    return len(numbers)
