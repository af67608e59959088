"""Folders with something wrong in them: what the rows of `bad_inputs.py` are given."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import imageio.v3 as iio
import numpy as np
import tifffile

from ddl.data.preprocessing import Preprocessing
from ddl.training.checkpoint.checkpoint_file import Snapshot, write_checkpoint
from ddl.training.plan.plan import Plan
from tests.data import make

Given = Callable[[Path], object]


PICTURES = np.zeros((6, 16, 16, 3), np.uint8)
MASKS = np.zeros((6, 16, 16, 1), np.uint8)
LABELS = np.arange(6) % 2
SPLIT = np.array([0, 0, 0, 0, 1, 1], np.uint8)


def nothing(_: Path) -> None:
    """Leave the folder empty."""


@dataclass(frozen=True)
class Row:
    """A command line, a piece of what it says, and what there is before."""

    command: str
    message: str
    given: Given = nothing


def cut(path: Path, share: float = 0.6) -> None:
    """Take the end of a file away."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))


def pairs(here: Path, **options: int) -> Path:
    """Make five pictures of 16x32 with masks, in `in`."""
    return make.pairs(here / "in", height=16, width=32, **options)


def pairs_without(name: str) -> Given:
    return lambda here: (pairs(here) / name).unlink()


def pairs_cut(name: str) -> Given:
    return lambda here: cut(pairs(here) / name)


def picture_cut(name: str) -> Given:
    """Make the first picture, which is looked at before a training starts, of another format, and cut it short."""

    def given(here: Path) -> None:
        folder = pairs(here)
        (folder / "cell-0.png").unlink()
        iio.imwrite(folder / name, make.picture(0, 16, 32))
        cut(folder / name)

    return given


def deep_tiff_cut(here: Path) -> None:
    folder = pairs(here)
    (folder / "cell-0.png").unlink()
    tifffile.imwrite(folder / "cell-0.tif", make.picture(0, 16, 32).astype(np.uint16))
    cut(folder / "cell-0.tif")


def mask_of_other_size(here: Path) -> None:
    iio.imwrite(pairs(here) / "cell-0_mask.gif", make.mask(0, 16, 16))


def picture_of_other_size(here: Path) -> None:
    iio.imwrite(pairs(here) / "cell-1.png", make.picture(0, 32, 32))


def h5(**arrays: np.ndarray) -> Given:
    """Write an HDF5 file `a.h5`."""

    def given(here: Path) -> None:
        with h5py.File(here / "a.h5", "w") as file:
            for name, array in arrays.items():
                file[name] = array

    return given


def npz(**arrays: np.ndarray) -> Given:
    return lambda here: np.savez(here / "a.npz", **arrays)


def then(first: Given, second: Given) -> Given:
    return lambda here: (first(here), second(here))


def cut_file(name: str) -> Given:
    return lambda here: cut(here / name)


def idx_labels(change: Callable[[np.ndarray], np.ndarray]) -> Given:
    """Write MNIST-like files with other labels."""

    def given(here: Path) -> None:
        labels = change(np.arange(5, dtype=np.uint8))
        (make.idx(here / "in") / "train-labels-idx1-ubyte").write_bytes(make.idx_bytes(labels))

    return given


def idx_cut(here: Path) -> None:
    cut(make.idx(here / "in") / "train-images-idx3-ubyte")


def idx_gzip_cut(here: Path) -> None:
    cut(make.idx(here / "in", zipped=True) / "train-images-idx3-ubyte.gz")


def idx_gzip_of_text(here: Path) -> None:
    folder = make.idx(here / "in", zipped=True)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"no pictures"))


def checkpoint(here: Path, epoch: int = 2, **changes: object) -> Path:
    """Make a run with one checkpoint, whose model is of no use."""
    plan = Plan(run_dir=here / "run", **changes)  # type: ignore[arg-type]
    facts = {
        "plan": plan.to_dict(),
        "order": {
            "kind": "global",
            "count": 4,
            "per_rank_batch_size": 8,
            "size": 1,
            "seed": 0,
            "epoch": epoch,
            "step": 0,
        },
        "position": {"epoch": epoch, "step": 0},
        "reference_batch_size": 8,
        "data_fingerprint": "",
        "preprocessing": Preprocessing(target="mask", channels=3, classes=1).to_dict(),
        "seconds_before": 0.0,
        "history": [{"epoch": number + 1, "val_loss": 1.0} for number in range(epoch)],
    }
    path = here / "run" / "checkpoints" / f"epoch-{epoch:04d}.h5"
    write_checkpoint(path, Snapshot("{}", "3", {}, [], "", "", [{}], facts))
    (here / "run" / "plan.json").write_text(plan.to_json())
    return path


def run(**changes: object) -> Given:
    return lambda here: checkpoint(here, **changes)


def run_cut(here: Path) -> None:
    cut(checkpoint(here))


def run_flipped(here: Path) -> None:
    flip(checkpoint(here))


def run_and_other(here: Path) -> None:
    checkpoint(here).parents[1].rename(here / "other")
    checkpoint(here)


def other_run(here: Path) -> None:
    checkpoint(here).parents[1].rename(here / "other")


def ended_run(**changes: object) -> Given:
    """Make a run with a final model that nobody can use, but that looks whole."""

    def given(here: Path) -> None:
        checkpoint(here, **changes)
        np.savez(here / "run" / "model.keras.npz")
        (here / "run" / "model.keras.npz").rename(here / "run" / "model.keras")

    return given


def plan_json(text: str) -> Given:
    def given(here: Path) -> None:
        checkpoint(here)
        (here / "run" / "plan.json").write_text(text)

    return given


def changed_plan(**values: object) -> Given:
    """Make a run whose plan says something else."""
    return lambda here: plan_json(json.dumps(Plan(run_dir=here / "run").to_dict() | values))(here)


def file(name: str, text: str = "no") -> Given:
    return lambda here: (here / name).write_text(text)


def folder(name: str) -> Given:
    return lambda here: (here / name).mkdir(parents=True)


def other_model(here: Path) -> None:
    """Save a model that has nothing in common with a U-Net."""
    import keras

    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")]).save(
        here / "other.keras"
    )


def other_model_cut(here: Path) -> None:
    other_model(here)
    cut(here / "other.keras")


def other_model_strange(here: Path) -> None:
    strange_model(here / "other.keras")


def strange_model(path: Path) -> None:
    """Write what looks like a saved model from outside."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")


def finished(here: Path, shape: tuple[int, ...]) -> None:
    """Make a run with a final model for pictures of this shape."""
    import keras

    checkpoint(here)
    inputs = keras.Input(shape)
    outputs = keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")(inputs)
    keras.Model(inputs, outputs).save(here / "run" / "model.keras")


def good_run(here: Path) -> None:
    finished(here, (96, 96, 3))


def grey_run(here: Path) -> None:
    finished(here, (32, 32, 1))


def strange_run(here: Path) -> None:
    checkpoint(here)
    strange_model(here / "run" / "model.keras")
