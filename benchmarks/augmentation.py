"""Draw each augmentation, or measure what they cost beside a step of resnet20 on one thread.

python benchmarks/augmentation.py --picture docs/augmentations.jpg
python benchmarks/augmentation.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.batches.mixed_reader import MixedReader
from ddl.data.batches.mixing import Mixing
from ddl.data.inputs_and_targets import ArraySamples
from ddl.data.pictures.conversion import central_crop
from ddl.data.sharding import partner_positions

SIDE, BATCH, CLASSES = 32, 64, 10
COSTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "`flip_horizontal=0.5`": ({"flip_horizontal": 0.5}, {}),
    "`pad_crop=4`": ({"pad_crop": 4}, {}),
    "`resized_crop=true`": ({"resized_crop": True}, {}),
    "`brightness=0.4 contrast=0.4`": ({"brightness": 0.4, "contrast": 0.4}, {}),
    "`saturation=0.4 hue=0.1`": ({"saturation": 0.4, "hue": 0.1}, {}),
    "`erase=0.25`": ({"erase": 0.25}, {}),
    "`randaugment=2,9`": ({"randaugment": (2, 9)}, {}),
    "`--mix mixup=0.2 cutmix=1`": ({}, {"mixup": 0.2, "cutmix": 1.0}),
    "CIFAR-10: flip, pad and crop": ({"flip_horizontal": 0.5, "pad_crop": 4}, {}),
    "the same, Mixup and CutMix": (
        {"flip_horizontal": 0.5, "pad_crop": 4},
        {"mixup": 0.2, "cutmix": 1.0},
    ),
    "the same, RandAugment and erasing": (
        {"flip_horizontal": 0.5, "pad_crop": 4, "erase": 0.25, "randaugment": (2, 9)},
        {"mixup": 0.2, "cutmix": 1.0},
    ),
}
"""What is written in the table -> its options of `augment` and of `mix`."""
DRAWN: dict[str, dict[str, Any]] = {
    "flip_horizontal": {"flip_horizontal": 1.0},
    "pad_crop=20": {"pad_crop": 20},
    "resized_crop": {"resized_crop": True, "resized_scale": (0.15, 0.5)},
    "brightness, contrast": {"brightness": 0.3, "contrast": 0.7},
    "saturation": {"saturation": 1.0},
    "hue": {"hue": 0.3},
    "erase": {"erase": 1.0},
    "rotation_degrees=30": {"rotation_degrees": 30.0},
    "elastic_pixels=4": {"elastic_pixels": 4.0, "elastic_smoothness_pixels": 8.0},
    "randaugment=2,9": {"randaugment": (2, 9)},
    "randaugment=2,9, again": {"randaugment": (2, 9)},
}
"""What is written under a picture -> options of `augment`."""


def main(argv: list[str] | None = None) -> None:
    """Draw the picture, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="JPEG file to draw")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement")
    arguments = parser.parse_args(argv)
    if arguments.picture is not None:
        draw(arguments.picture)
    else:
        print(cost_table(arguments.rounds))


def cost_table(rounds: int) -> str:
    """Return a table of the time that augmenting a batch takes, and its share of a step. All on one thread."""
    step_s = resnet20_step()
    works = {what: reading(*options) for what, options in COSTS.items()}
    plain = reading({}, {})
    seconds: dict[str, list[float]] = {what: [] for what in works}
    steps, reads = [], []
    for _ in range(rounds):  # in turn, so that a busy moment meets all of them
        steps.append(timed(step_s, 3))
        reads.append(timed(plain, 20))
        for what, work in works.items():
            seconds[what].append(timed(work, 20))
    step, base = statistics.median(steps), statistics.median(reads)
    lines = [
        f"A step of resnet20: {step * 1e3:.0f} ms ({min(steps) * 1e3:.0f} to {max(steps) * 1e3:.0f}).",
        "",
        "| Options | ms a batch of 64 | share of the step |",
        "|---|---|---|",
    ]
    for what, values in seconds.items():
        extra = statistics.median(values) - base
        low, high = min(values) - base, max(values) - base
        lines.append(
            f"| {what} | {extra * 1e3:.1f} ({low * 1e3:.1f} to {high * 1e3:.1f}) | {extra / step:.1%} |"
        )
    return "\n".join(lines)


def timed(work: Callable[[], Any], times: int) -> float:
    """Return the seconds of one call, the mean of several."""
    begin = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begin) / times


def reading(augment: dict[str, Any], mix: dict[str, Any]) -> Callable[[], Any]:
    """Return a call that reads the same batch with these options."""
    rng = np.random.default_rng(0)
    pictures = rng.random((BATCH, SIDE, SIDE, 3), np.float32)
    samples = ArraySamples(pictures, rng.integers(0, CLASSES, BATCH))
    reader = BatchReader(samples, Augmentation(**augment) if augment else None)
    own = np.arange(BATCH)
    if not mix:
        return lambda: reader(0, own)
    mixed = MixedReader(reader, Mixing(**mix), classes=CLASSES, seed=0, epochs=1)
    pairs = np.stack([own, partner_positions(0, BATCH, BATCH)])[None]
    return lambda: mixed.read_steps(0, 0, pairs)


def resnet20_step() -> Callable[[], Any]:
    """Return a training step of resnet20 in plain Keras on one thread, traced already."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from ddl.models.zoo import build_model

    model = build_model("resnet20", (SIDE, SIDE, 3), CLASSES)
    model.compile("sgd", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    pictures = rng.random((BATCH, SIDE, SIDE, 3), np.float32)
    labels = rng.integers(0, CLASSES, BATCH)
    model.train_on_batch(pictures, labels)
    return lambda: model.train_on_batch(pictures, labels)


def draw(path: Path) -> None:
    """Draw each augmentation of one picture, and what Mixup and CutMix make of two."""
    from skimage import data

    cat, cup = (scaled_down(picture) for picture in (data.chelsea(), data.coffee()))
    panels = {"the picture": cat}
    for number, (what, options) in enumerate(DRAWN.items()):
        changed, _ = Augmentation(**options)(cat, None, seed=4, epoch=0, index=number)
        panels[what] = changed
    panels["central_crop=0.7"] = central_crop(cat, 0.7)
    pasted = cat.copy()
    pasted[20:80, 70:130] = cup[20:80, 70:130]
    panels["mixup, weight 0.6"] = cat * 0.6 + cup * 0.4
    panels["cutmix"] = pasted
    save(panels, path)


def scaled_down(picture: np.ndarray) -> np.ndarray:
    """Return the middle of a picture, 140 pixels wide and high."""
    from skimage import transform

    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    square = picture[top : top + side, left : left + side]
    return np.asarray(transform.resize(square, (140, 140), anti_aliasing=True), np.float32)


def save(panels: dict[str, np.ndarray], path: Path, columns: int = 5) -> None:
    """Write the pictures as a grid, each over its name."""
    from PIL import Image, ImageDraw

    side, line = 140, 18
    rows = -(-len(panels) // columns)
    sheet = Image.new("RGB", (columns * (side + 6), rows * (side + line)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (what, picture) in enumerate(panels.items()):
        left, top = number % columns * (side + 6) + 3, number // columns * (side + line)
        levels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
        offset = (side - levels.shape[0]) // 2
        sheet.paste(Image.fromarray(levels), (left + offset, top + offset))
        pen.text((left + 2, top + side + 3), what, fill="black")
    sheet.save(path, quality=82)


if __name__ == "__main__":
    main()
