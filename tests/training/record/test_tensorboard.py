"""TensorBoard's files hold each epoch's numbers and pictures in the form that it reads."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.training.record.curves import draw_curves
from ddl.training.record.tensorboard import EventWriter
from tests.small_files import limited_files


def read_events(path: Path) -> list[Any]:
    import tensorflow as tf

    records = tf.data.TFRecordDataset(str(path))
    return [tf.compat.v1.Event.FromString(record.numpy()) for record in records]


def test_numbers_and_pictures_come_back(tmp_path: Path) -> None:
    import tensorflow as tf

    epoch = {
        "epoch": 3,
        "loss": 0.5,
        "val_loss": math.nan,
        "test_loss": 0.25,
        "test_before_loss": 2.0,
        "learning_rate": 1e-3,
        "matrix": [[1.0]],
    }
    draw_curves([epoch], tmp_path / "curves.png")
    writer = EventWriter(tmp_path / "events", first_epoch=3)
    writer.write_epoch(epoch)
    writer.write_picture("curves", tmp_path / "curves.png", 3)
    (path,) = (tmp_path / "events").iterdir()
    version, start, numbers, picture = read_events(path)  # not closed yet, as after kill -9
    assert path.name.startswith("events.out.tfevents.")
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (3, 1)
    assert numbers.step == picture.step == 3
    found = {value.tag: tf.make_ndarray(value.tensor) for value in numbers.summary.value}
    assert math.isnan(found.pop("validation/loss"))
    tested = {"test/loss": 0.25, "test_before/loss": 2.0}
    assert found == {"train/loss": 0.5, "learning_rate": pytest.approx(1e-3), **tested}
    plugins = {value.metadata.plugin_data.plugin_name for value in numbers.summary.value}
    assert plugins == {"scalars"}
    (value,) = picture.summary.value
    width, height, png = tf.make_ndarray(value.tensor)
    assert (value.tag, value.metadata.plugin_data.plugin_name) == ("curves", "images")
    assert (int(width), int(height)) == (600, 230)
    assert png == (tmp_path / "curves.png").read_bytes()
    writer.close()
    writer.close()


def test_tensorboard_is_installed_and_reads_the_events_of_a_run(tmp_path: Path) -> None:
    """docs/training.md tells `tensorboard --logdir runs`."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    writer = EventWriter(tmp_path)
    for epoch in (1, 2):
        writer.write_epoch({"epoch": epoch, "loss": 1 / epoch})
    writer.close()
    found = EventAccumulator(str(tmp_path)).Reload()
    assert found.Tags()["tensors"] == ["train/loss"]
    assert [event.step for event in found.Tensors("train/loss")] == [1, 2]


def test_the_tensorboard_callback_of_keras_writes_events(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 2), np.float32)
    model.fit(x, x[:, :1], verbose=0, callbacks=[keras.callbacks.TensorBoard(tmp_path)])
    tags = {
        value.tag
        for path in tmp_path.rglob("events.out.*")
        for event in read_events(path)
        for value in event.summary.value
    }
    assert "epoch_loss" in tags


def test_each_start_has_a_file_of_its_own(tmp_path: Path) -> None:
    for first_epoch in (1, 4):
        writer = EventWriter(tmp_path, first_epoch)
        writer.write_epoch({"epoch": first_epoch, "loss": 1.0})
        writer.close()
    steps = [[event.step for event in read_events(path)] for path in sorted(tmp_path.iterdir())]
    assert steps == [[0, 1, 1], [0, 4, 4]]


def test_a_disk_that_fails_raises_an_oserror_and_the_next_write_goes_on(tmp_path: Path) -> None:
    """An OSError is what the loop makes a warning of."""
    writer = EventWriter(tmp_path)
    with limited_files(0), pytest.raises(OSError, match="File too large"):
        writer.write_epoch({"epoch": 1, "loss": 1.0})
    writer.write_epoch({"epoch": 2, "loss": 1.0})
    writer.close()
    assert [event.step for event in read_events(max(tmp_path.iterdir()))] == [0, 2, 2]


def test_a_folder_that_is_a_file_raises_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="exists"):
        EventWriter(tmp_path / "file")
