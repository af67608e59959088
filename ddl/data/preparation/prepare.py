"""Converts pictures to one chunked HDF5 file with checksums: in parallel, resumable, whole or not at all.

Converted samples are first written to small files beside the output (`.NAME.h5.parts/`), which a later run can reuse.
Then one process joins them in order, so the same pictures and options always give the same bytes.

    prepare(Preparation(source=Path("pictures"), output=Path("cells.h5"), image_size=(128, 128)))
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddl.data import splits
from ddl.data.pictures.conversion import CHANNELS, DEPTHS, Conversion
from ddl.data.pictures.listing import Listing
from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.preparation import assembly, workers
from ddl.data.preparation.converted_parts import Task, is_whole, make_part, plan_parts
from ddl.files import check_file, hold_lock
from ddl.options import convert_fields
from ddl.progress import Progress
from ddl.ranges import Range, check_choices, check_ranges

LAYOUTS = ("auto", "folders", "pairs", "classes")
ON_ERROR = ("stop", "skip")
_RANGES = {"workers": Range(0, 1024), "seed": Range(0, 2**32, below=True), "folds": Range(0)}
_CHOICES = {"layout": LAYOUTS, "on_error": ON_ERROR, "compression": assembly.COMPRESSIONS}


@dataclass(frozen=True)
class Preparation:
    """Which pictures to convert, and how.

    Attributes:
        source: folder with the pictures.
        output: HDF5 file to write; must not exist.
        image_size: height and width in pixels.
        layout: "pairs" (name.jpg + name_mask.gif), "folders" (images/ + masks/), "classes" (CLASS/name.jpg) or "auto".
        channels: "grey", "rgb" or "rgba".
        bits: 8 or 16 per channel.
        mask_mode: "binary" (1 where not black) or "classes" (grey value or palette index).
        validation: fraction of samples for the validation split.
        test: fraction of samples for the test split.
        folds: number of cross-validation folds, without the test split; 0 for none.
        seed: seed of splits and folds.
        on_error: "stop" at the first unreadable picture, or "skip" and report each.
        compression: "none", "lzf" (fast) or "gzip" (small), for the file's chunks.
        workers: number of converting processes; 0 for one per core.
        pixel_limit: pictures with more pixels are refused before decoding.
    """

    source: Path
    output: Path
    image_size: tuple[int, int] = (128, 128)
    layout: str = "auto"
    channels: str = "rgb"
    bits: int = 8
    mask_mode: str = "binary"
    validation: float = 0.1
    test: float = 0.1
    folds: int = 0
    seed: int = 0
    on_error: str = "stop"
    compression: str = "none"
    workers: int = 0
    pixel_limit: int = PIXEL_LIMIT

    def __post_init__(self) -> None:
        """Convert every field to its type, and refuse invalid values before anything is read or written."""
        convert_fields(self)
        check_choices(vars(self), _CHOICES)
        check_ranges(vars(self), _RANGES, "prepare_data")
        splits.split_samples(1 << 20, self.validation, self.test, self.seed)
        self.conversion()
        if self.output.suffix not in (".h5", ".hdf5"):
            raise ValueError(f"Received: output={self.output}. Expected: a name that ends in .h5.")

    def conversion(self) -> Conversion:
        """Return the conversion of the samples."""
        return Conversion(
            self.image_size, self.channels, self.bits, self.mask_mode, self.pixel_limit
        )

    def assign(self, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the split and fold (if any) of `count` samples."""
        split = splits.split_samples(count, self.validation, self.test, self.seed)
        return split, splits.fold_samples(split, self.folds, self.seed) if self.folds else None

    def check_paths(self) -> None:
        """Refuse a source that is not a folder, and an output that exists or cannot be written."""
        if not self.source.is_dir():
            raise ValueError(
                f"Received: source={self.source}, which is not a folder. Expected: a folder with pictures."
            )
        if self.output.exists():
            shutil.rmtree(
                self.parts_folder, ignore_errors=True
            )  # left by a run that was killed during cleanup
        check_file("output", self.output)

    @property
    def parts_folder(self) -> Path:
        """Folder of the parts converted so far."""
        return self.output.with_name(f".{self.output.name}.parts")


@dataclass(frozen=True)
class Outcome:
    """The result: number of samples in the file, and one line per skipped sample."""

    count: int
    skipped: tuple[str, ...]


def prepare(preparation: Preparation) -> Outcome:
    """Create the data set. Parts of an interrupted run are reused.

    Raises:
        ValueError: a path, picture or mask is invalid. Finished parts are kept for the next run.
    """
    preparation.check_paths()
    listing = find_samples(preparation)
    if preparation.on_error == "stop" or not listing.samples:
        listing.refuse_problems()
    preparation.assign(len(listing.samples))
    with _working_folder(preparation) as folder:
        tasks = _tasks(preparation, listing, folder)
        _convert(tasks, preparation.workers or _cores())
        skipped = assembly.assemble(preparation, listing, [task.path for task in tasks])
    return Outcome(len(listing.samples) + len(listing.problems) - len(skipped), skipped)


def find_samples(preparation: Preparation) -> Listing:
    """Return the pictures of the source folder, in the given or detected layout."""
    from ddl.data.sources import classes, detect_format, folders, pairs

    finders = {"folders": folders.find, "pairs": pairs.find, "classes": classes.find}
    name = preparation.layout
    if name == "auto":
        name = detect_format(preparation.source)
        if name not in finders:
            raise ValueError(
                f"Received: source={preparation.source}, which looks like {name}. Expected: {', '.join(finders)}."
            )
    try:
        return finders[name](preparation.source)
    except OSError as error:
        raise ValueError(
            f"Received: {error.filename}, which cannot be read ({error.strerror}). Expected: a folder with pictures."
        ) from error


@contextlib.contextmanager
def _working_folder(preparation: Preparation) -> Iterator[Path]:
    """Lock the folder of parts for this run. Remove it when the file is complete, or if it is empty."""
    folder = preparation.parts_folder
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(exist_ok=True)
            held.enter_context(hold_lock(folder / "lock"))
        except BlockingIOError as error:
            raise ValueError(
                f"Received: output={preparation.output}, which another run is writing. Expected: one run at a time."
            ) from error
        except OSError as error:
            raise _disk_trouble(preparation.output, error) from error
        try:
            yield folder
        except OSError as error:
            raise _disk_trouble(preparation.output, error) from error
        finally:
            for left in [*folder.glob("*.tmp"), *folder.glob("*.h5")]:
                left.unlink(missing_ok=True)
            if preparation.output.exists() or not any(folder.glob("*.npz")):
                shutil.rmtree(folder)


def _tasks(preparation: Preparation, listing: Listing, folder: Path) -> list[Task]:
    """Return the parts to create, and delete those of other options or pictures."""
    how = preparation.conversion()
    depth = DEPTHS[how.bits].itemsize
    sample_bytes = math.prod(preparation.image_size) * (CHANNELS[how.channels] * depth + 1)
    skip = preparation.on_error == "skip"
    try:
        tasks = plan_parts(preparation.source, listing.samples, how, skip, sample_bytes, folder)
    except OSError as error:
        raise ValueError(
            f"Received: {error.filename}, which cannot be read ({error.strerror}). Expected: a picture."
        ) from error
    expected = {task.path for task in tasks}
    for left in [*folder.glob("*.npz"), *folder.glob("*.tmp"), *folder.glob("*.h5")]:
        if left not in expected or not is_whole(left):
            left.unlink()
    return tasks


def _convert(tasks: list[Task], processes: int) -> None:
    """Create the missing parts."""
    missing = [task for task in tasks if not task.path.exists()]
    done = sum(len(task.samples) for task in tasks) - sum(len(task.samples) for task in missing)
    progress = Progress("pictures", sum(len(task.samples) for task in tasks))
    if done:
        progress.show(done)  # from an earlier run
    # Also closed at once after Ctrl-C: no worker may write after the folder of parts is unlocked.
    with (
        contextlib.closing(progress),
        contextlib.closing(workers.run_in_order(make_part, missing, processes)) as made,
    ):
        for task, _ in made:
            done += len(task.samples)
            progress.show(done)


def _disk_trouble(output: Path, error: OSError) -> ValueError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ValueError(
            f"Received: no space left for {output}. Expected: twice the size of the data set; free some space and "
            "run the same command again to resume."
        )
    return ValueError(
        f"Received: {output}, which cannot be written ({error}). Expected: a writable disk."
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
