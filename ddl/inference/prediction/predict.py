"""Predict pictures on all ranks and write the results; pictures that have results are skipped.

Each block of pictures becomes one batch, and blocks do not depend on the number of ranks: N ranks write the same bytes
as one rank, if each has the same number of threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import ddl.distributed as dist
from ddl.data.sharding import shard_bounds
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.distributed.on_ranks import on_all, on_root
from ddl.files import write_whole
from ddl.inference import output_folder
from ddl.inference.backends.normalized import normalizing
from ddl.inference.backends.predictor import Predictor, open_predictor
from ddl.inference.boxes import coco_file
from ddl.inference.boxes.box_share import BoxShare
from ddl.inference.one_rank import OneRankError, naming_disk
from ddl.inference.output_folder import hold_output
from ddl.inference.prediction import label_table
from ddl.inference.prediction.inputs import Item
from ddl.inference.prediction.prediction import Prediction
from ddl.inference.prediction.result_files import MaskFiles
from ddl.inference.prediction.result_names import (
    check_result_names,
    ignores_case,
    result_paths,
)
from ddl.inference.tiles.flips import Flipped
from ddl.inference.tiles.segmenter import Bands, PreparedPicture, Segmenter, whole_picture
from ddl.inference.tiles.tiling import Rows
from ddl.inference.trained_model import TrainedModel
from ddl.progress import Progress


def predict(prediction: Prediction, model: TrainedModel, items: Sequence[Item]) -> list[str]:
    """Predict every item that has no results yet. All ranks must call it, after `init`.

    Returns:
        One line per skipped picture, of all ranks.

    Raises:
        ValueError: the model cannot be loaded or the folder cannot be written; raised on all ranks.
        OneRankError: a bad picture (with on_error="stop") or a full disk; raised only on the rank where it occurred.
    """
    prediction = prediction.settled(model.preprocessing)
    facts = prediction.facts() | {"model": on_root(model.digest)}
    with contextlib.ExitStack() as stack:
        on_root(lambda: _hold(stack, prediction, model, items, facts))
        predictor = on_all(lambda: _open_predictor(prediction, model))
        stack.callback(predictor.close)
        share = _Share(prediction, model, predictor, items)
        share.work()
        skipped = [line for lines in dist.allgather(share.skipped) for line in lines]
        if model.preprocessing.target == "boxes":
            on_root(lambda: coco_file.assemble(prediction.output, model.preprocessing))
        if model.preprocessing.target == "label":
            on_root(lambda: label_table.assemble(prediction.output, model.preprocessing))
    return skipped


def _hold(
    stack: contextlib.ExitStack,
    prediction: Prediction,
    model: TrainedModel,
    items: Sequence[Item],
    facts: dict[str, Any],
) -> None:
    """Hold the output folder, and check the names again where its disk takes more of them for one."""
    stack.enter_context(hold_output(prediction.output, facts))
    record = prediction.output / output_folder.NAME
    if model.preprocessing.target != "label" and ignores_case(record):
        check_result_names(prediction, items, output_folder.FILES, ignores_case=True)


def _open_predictor(prediction: Prediction, model: TrainedModel) -> Predictor:
    with loading_tensorflow():
        predictor = open_predictor(
            model.file,
            backend=prediction.backend,
            threads=prediction.threads,
            mode=prediction.mode,
            precision=prediction.inference_precision,
        )
    predictor = normalizing(predictor, model.preprocessing)
    if prediction.tta == "flips":
        return Flipped(predictor, finds_masks=model.preprocessing.target != "label")
    return predictor


class _Share:
    """Predicts one rank's share of the pictures."""

    def __init__(
        self,
        prediction: Prediction,
        model: TrainedModel,
        predictor: Predictor,
        items: Sequence[Item],
    ) -> None:
        self._prediction, self._how = prediction, model.preprocessing
        self._predictor = predictor
        self._segmenter = Segmenter(predictor.input_shape, self._how, prediction.cut)
        self._finds_masks = self._how.target in ("mask", "values")
        self._boxes = (
            BoxShare(prediction, self._how, predictor, self._segmenter)
            if self._how.target == "boxes"
            else None
        )
        self._blocks = self._own_blocks(items)
        self.skipped: list[str] = []

    def work(self) -> None:
        """Predict this rank's blocks."""
        count = sum(len(block) for _, block in self._blocks)
        what = "pictures" if dist.size() == 1 else f"pictures of rank 0 (of {dist.size()})"
        done = 0
        with contextlib.ExitStack() as stack:
            progress = None
            if dist.is_root() and count > 1:
                progress = stack.enter_context(contextlib.closing(Progress(what, count)))
                progress.show(0)
            for number, block in self._blocks:
                if self._boxes is not None:
                    self._boxes.find(number, block, self._naming)
                elif self._finds_masks:
                    self._segment(block)
                else:
                    self._classify(number, block)
                done += len(block)
                if progress:
                    progress.show(done)

    def _own_blocks(self, items: Sequence[Item]) -> list[tuple[int, list[Item]]]:
        """Return this rank's share of the blocks without results, each with its number."""
        size = self._prediction.batch_size
        blocks = [
            (number, list(items[start : start + size]))
            for number, start in enumerate(range(0, len(items), size))
        ]
        # Only rank 0 looks at the disk: ranks that see different files would divide the work differently.
        missing = on_root(lambda: [n for n, block in blocks if not self._is_done(n, block)])
        start, end = shard_bounds(len(missing), dist.rank(), dist.size())
        return [blocks[number] for number in missing[start:end]]

    def _is_done(self, number: int, block: Sequence[Item]) -> bool:
        if self._boxes is not None:
            return coco_file.is_done(self._prediction.output, number)
        if not self._finds_masks:
            return label_table.is_done(self._prediction.output, number)
        folder, form = self._prediction.output, self._prediction.format
        return all(result_paths(folder, item.name, form)[0].exists() for item in block)

    def _segment(self, block: Sequence[Item]) -> None:
        """Predict masks: large pictures one by one, small pictures of equal size in one batch."""
        waiting: dict[tuple[int, ...], list[tuple[Item, Rows, PreparedPicture]]] = {}
        for item in block:
            with self._naming(item), item.open() as rows:
                prepared = self._segmenter.begin(rows, item.is_file)
                if prepared.is_single:
                    held = np.array(rows[: rows.shape[0]])
                    prepared = self._segmenter.begin(held, item.is_file)
                    shape = tuple(axis.padded for axis in prepared.axes)
                    waiting.setdefault(shape, []).append((item, held, prepared))
                else:
                    batch_size = self._prediction.batch_size
                    self._write(item, rows, prepared.bands(self._predictor, batch_size))
        for group in waiting.values():
            batch = np.stack([prepared.tile for _, _, prepared in group])
            predicted = self._predictor.predict(batch)
            for (item, rows, prepared), probabilities in zip(group, predicted, strict=True):
                self._write(item, rows, prepared.finish(probabilities))

    def _write(self, item: Item, rows: Rows, bands: Bands) -> None:
        output = self._prediction.output
        files = MaskFiles(
            self._prediction,
            item.name,
            rows,
            self._predictor.classes,
            holds_values=self._how.target == "values",
        )
        with naming_disk(output), files, self._progress_of(item, rows) as progress:
            for start, band in bands:
                files.write(start, band)
                progress(start + len(band))

    @contextlib.contextmanager
    def _progress_of(self, item: Item, rows: Rows) -> Iterator[Callable[[int], None]]:
        """Yield a callback for finished rows. It shows progress if the rank has one picture, which may be large."""
        if not dist.is_root() or [len(block) for _, block in self._blocks] != [1]:
            yield lambda _: None
            return
        with contextlib.closing(Progress(f"rows of {item.name}", rows.shape[0])) as progress:
            progress.show(0)
            yield progress.show

    def _classify(self, number: int, block: Sequence[Item]) -> None:
        """Predict labels, and save them as the block's part of the table."""
        waiting: dict[tuple[int, ...], list[tuple[str, np.ndarray]]] = {}
        for item in block:
            with self._naming(item), item.open() as rows:
                shape = self._predictor.input_shape
                picture = whole_picture(rows, self._how, shape, is_file=item.is_file)
                waiting.setdefault(picture.shape, []).append((item.name, picture))
        by_name: dict[str, np.ndarray] = {}
        for group in waiting.values():
            probabilities = self._predictor.predict(np.stack([picture for _, picture in group]))
            by_name |= dict(zip([name for name, _ in group], probabilities, strict=True))
        ordered = [(item.name, by_name[item.name]) for item in block if item.name in by_name]
        text = label_table.part_text(ordered, self._how)
        path = label_table.part_path(self._prediction.output, number)
        with naming_disk(path):
            write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))

    @contextlib.contextmanager
    def _naming(self, item: Item) -> Iterator[None]:
        """Add the picture's name to errors; with on_error="skip", record the error instead of raising it."""
        try:
            yield
        except (ValueError, OSError) as error:
            text = str(error)
            if isinstance(error, OSError):
                why = error.strerror or error
                text = f"Received: {item.origin}, which cannot be read ({why}). Expected: a readable picture."
            line = text if item.origin in text else f"{item.origin}: {text}"
            if self._prediction.on_error == "stop":
                raise OneRankError(line) from error
            self.skipped.append(line)
