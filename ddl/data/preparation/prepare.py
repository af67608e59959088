"""Converts pictures to one chunked HDF5 file with checksums: in parallel, resumable, whole or not at all.

Converted samples are first written to small files beside the output (`.NAME.h5.parts/`), which a later run can reuse.
Then one process joins them in order, so the same pictures and options always give the same bytes.

    prepare(Preparation(source=Path("pictures"), output=Path("cells.h5"), image_size=(128, 128)))
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.listing import Listing
from ddl.data.preparation import assembly, workers
from ddl.data.preparation.converted_parts import Task, is_whole, make_part, plan_parts
from ddl.data.preparation.preparation import Preparation
from ddl.data.source import Source
from ddl.data.sources import detect_format
from ddl.data.sources.boxed_pictures import coco, voc, yolo
from ddl.data.sources.boxed_pictures.annotations import Annotations, joined
from ddl.data.sources.boxed_pictures.boxed_files import BoxedFiles
from ddl.data.sources.boxed_pictures.conversion import BoxedConversion
from ddl.data.sources.picture_folders import classes, folders, pairs
from ddl.data.sources.picture_folders.picture_files import PictureFiles, complete
from ddl.data.summary import summary_lines
from ddl.files.locks import hold_lock
from ddl.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """The result: number of samples in the file, and one line per skipped sample."""

    count: int
    skipped: tuple[str, ...]


def prepare(preparation: Preparation, say: Callable[[str], object] | None = None) -> Outcome:
    """Create the data set. Parts of an interrupted run are reused.

    Args:
        preparation: which pictures to convert, and how.
        say: called with lines on what the pictures were taken for, before they are converted.

    Raises:
        ValueError: a path, picture or mask is invalid. Finished parts are kept for the next run.
    """
    preparation.check_paths()
    try:
        listing, boxes = _find_samples(preparation)
        preparation.check_boxes(boxes is not None)
        if preparation.on_error == "stop" or not listing.samples:
            listing.refuse_problems()
        preparation.assign(len(listing.samples), None if boxes is None else boxes.splits)
        form: Conversion = preparation.conversion()
        if boxes is not None:
            form = preparation.boxed_conversion(boxes.most)
        how = complete(listing, form, preparation.bits, preparation.range)
        if say is not None:
            if boxes is not None and isinstance(how, BoxedConversion):
                read: Source = BoxedFiles(boxes, how, bits=how.bits)
            else:
                read = PictureFiles(dataclasses.replace(listing, problems=()), how)
            for line in summary_lines(preparation.source, read, "--{} "):
                say(line)
        tasks = plan_parts(preparation, how, listing.samples)
    except OSError as error:
        raise ValueError(
            f"Received: {error.filename}, which cannot be read ({error.strerror}). Expected: a folder with pictures."
        ) from error
    with _working_folder(preparation, tasks):
        _convert(tasks, preparation.workers or _cores())
        paths = [task.path for task in tasks]
        more = {} if boxes is None else {"category_ids": list(boxes.category_ids)}
        skipped = assembly.assemble(preparation, how, listing, paths, more)
    return Outcome(len(listing.samples) + len(listing.problems) - len(skipped), skipped)


def _find_samples(preparation: Preparation) -> tuple[Listing, Annotations | None]:
    """Return the pictures of the source folder, in the given or detected layout, and their boxes, if they have some."""
    finders = {"folders": folders.find, "pairs": pairs.find, "classes": classes.find}
    boxed = {"coco": coco, "yolo": yolo, "voc": voc}
    name = preparation.layout
    if name == "auto":
        name = detect_format(preparation.source)
        if name not in (*finders, *boxed):
            known = ", ".join((*finders, *boxed))
            raise ValueError(
                f"Received: source={preparation.source}, which looks like {name}. Expected: {known}."
            )
    if name in finders:
        return finders[name](preparation.source), None
    found = _read_boxes(preparation, boxed[name])
    return Listing(found.root, found.samples, (), found.class_names), found


def _read_boxes(preparation: Preparation, layout: Any) -> Annotations:
    """Return the pictures and boxes of all splits of a layout."""
    source, wrong = preparation.source, preparation.wrong_boxes
    there = layout.splits(source, {})
    if not there:
        found: Annotations = layout.read_annotations(source, "train", wrong)
        return found
    return joined({split: layout.read_annotations(source, split, wrong) for split in there}, source)


@contextlib.contextmanager
def _working_folder(preparation: Preparation, tasks: list[Task]) -> Iterator[None]:
    """Lock the folder of parts for this run, and keep only parts that these tasks can reuse.

    The folder is removed when the file is complete, or if it is empty.
    """
    folder, expected = preparation.parts_folder, {task.path for task in tasks}
    try:
        folder.mkdir(exist_ok=True)
        with hold_lock(folder / "lock"):
            for old in [*folder.glob("*.npz"), *folder.glob("*.tmp"), *folder.glob("*.h5")]:
                if old not in expected or not is_whole(old):
                    old.unlink()
            try:
                yield
            finally:
                for left in [*folder.glob("*.tmp"), *folder.glob("*.h5")]:
                    left.unlink(missing_ok=True)
                if preparation.output.exists() or not any(folder.glob("*.npz")):
                    shutil.rmtree(folder)
    except BlockingIOError as error:
        raise ValueError(
            f"Received: output={preparation.output}, which another run is writing. Expected: one run at a time."
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ValueError(
                f"Received: no space left for {preparation.output}. Expected: twice the size of the data set; free "
                "some space and run the same command again to resume."
            ) from error
        raise ValueError(
            f"Received: {preparation.output}, which cannot be written ({error}). Expected: a writable disk."
        ) from error


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
        for task, _ in zip(missing, made, strict=True):
            done += len(task.samples)
            progress.show(done)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
