"""Writes TensorBoard events of a run into `events/`, without the tensorboard package."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PARTS = {"val_": "validation", "test_before_": "test_before", "test_": "test"}
_DATA_CLASSES = {"scalars": "DATA_CLASS_SCALAR", "images": "DATA_CLASS_BLOB_SEQUENCE"}


class EventWriter:
    """Writes scalars and pictures after each epoch. Only rank 0 creates one.

    Each start of a run writes a new file. Its first records tell TensorBoard to drop earlier values from `first_epoch`
    on, so that a resumed run has one curve. Writing may raise an OSError. The next write then opens a new file, because
    TensorBoard stops reading at an incomplete record.
    """

    def __init__(self, folder: Path, first_epoch: int = 1) -> None:
        """Open a new file in `folder`. Loads TensorFlow.

        Args:
            folder: the folder for `tensorboard --logdir`.
            first_epoch: the first epoch (from 1) to be written.
        """
        import tensorflow as tf

        self._tf, self._proto = tf, tf.compat.v1
        self._folder = folder
        self._file: Any = None
        self._open(first_epoch)

    def write_epoch(self, epoch: Mapping[str, Any]) -> None:
        """Write the values of an epoch as "train/loss", "validation/loss", "learning_rate"."""
        event = self._proto.Event(step=int(epoch["epoch"]))
        for name, value in epoch.items():
            if name != "epoch" and isinstance(value, int | float):
                tensor = _add_tensor(event, _tag(name), "scalars", self._tf.float32)
                tensor.float_val.append(value)
        self._write(event)

    def write_picture(self, name: str, path: Path, epoch: int) -> None:
        """Write the current PNG file, such as `samples.png`, as the picture of `epoch`."""
        png = path.read_bytes()
        width, height = (str(int.from_bytes(png[k : k + 4], "big")).encode() for k in (16, 20))
        event = self._proto.Event(step=epoch)
        tensor = _add_tensor(event, name, "images", self._tf.string)
        tensor.tensor_shape.dim.add(size=3)
        tensor.string_val.extend([width, height, png])
        self._write(event)

    def close(self) -> None:
        """Finish the file; closing twice is allowed."""
        file, self._file = self._file, None
        with self._errors_of_the_disk():
            if file is not None:
                file.close()

    def _open(self, first_epoch: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        with self._errors_of_the_disk():
            self._file = self._tf.io.TFRecordWriter(str(self._folder / name))
        self._write(self._proto.Event(file_version="brain.Event:2"))
        start = self._proto.SessionLog(status="START")
        self._write(self._proto.Event(step=first_epoch, session_log=start))

    def _write(self, event: Any) -> None:
        if self._file is None:
            self._open(event.step)
        event.wall_time = time.time()
        with self._errors_of_the_disk():
            self._file.write(event.SerializeToString())
            self._file.flush()

    @contextmanager
    def _errors_of_the_disk(self) -> Iterator[None]:
        """Turn TensorFlow's file errors into OSError, and abandon the file."""
        try:
            yield
        except self._tf.errors.OpError as error:
            self._file = None
            full = isinstance(error, self._tf.errors.ResourceExhaustedError)
            raise OSError(errno.ENOSPC if full else errno.EIO, error.message) from error


def _add_tensor(event: Any, tag: str, plugin: str, dtype: Any) -> Any:
    """Return the tensor of a new value, to fill in place: copying a picture would cost megabytes."""
    value = event.summary.value.add(tag=tag)
    value.metadata.plugin_data.plugin_name = plugin
    value.metadata.data_class = _DATA_CLASSES[plugin]
    value.tensor.dtype = dtype.as_datatype_enum
    return value.tensor


def _tag(name: str) -> str:
    if name in ("learning_rate", "seconds", "samples_per_s"):
        return name
    for prefix, part in _PARTS.items():
        if name.startswith(prefix):
            return f"{part}/{name.removeprefix(prefix)}"
    return f"train/{name}"
