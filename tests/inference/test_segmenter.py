"""How pictures are prepared for a model: whole, by tiles, at the training size, or at the model's fixed size."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.preprocessing import Preprocessing
from ddl.inference.tiles.segmenter import Cut, PreparedPicture, Segmenter, check_cut

HOW = Preprocessing(target="mask", channels=1, classes=1, side_multiple=8)


class Copy:
    """Returns its input, and records the sizes."""

    classes = 1

    def __init__(self, *sides: int | None) -> None:
        self.input_shape = (*sides, 1)
        self.seen: set[tuple[int, ...]] = set()

    def predict(self, batch: np.ndarray) -> np.ndarray:
        self.seen.add(batch.shape[1:-1])
        return batch

    def close(self) -> None:
        pass


def predict(prepared: PreparedPicture, model: Copy) -> np.ndarray:
    bands = prepared.bands(model, 2)
    return np.concatenate([band for _, band in bands])


def test_by_default_only_large_pictures_are_tiled() -> None:
    model = Copy(None, None)
    segmenter = Segmenter(model.input_shape, HOW, Cut())
    small, large = (np.zeros(shape, np.uint8) for shape in ((100, 61, 1), (1100, 1100, 1)))
    assert segmenter.begin(small, is_file=True).is_single
    assert predict(segmenter.begin(small, is_file=True), model).shape == small.shape
    prepared = segmenter.begin(large, is_file=True)
    assert {axis.tile for axis in prepared.axes} == {512}
    assert {axis.starts for axis in prepared.axes} == {(0, 384, 592)}
    assert model.seen == {(104, 64)}


@pytest.mark.parametrize("shape", [(100, 61, 1), (9, 200, 1), (32, 48, 1)])
def test_a_model_of_fixed_size_predicts_pictures_of_any_size(shape: tuple[int, ...]) -> None:
    model = Copy(32, 48)
    picture = np.random.default_rng(0).random(shape, np.float32)
    found = predict(Segmenter(model.input_shape, HOW, Cut()).begin(picture, is_file=False), model)
    np.testing.assert_allclose(found, picture, atol=1e-6)
    assert model.seen == {(32, 48)}
    with pytest.raises(ValueError, match="tile=64x64 for a model with the fixed input size 32x48"):
        Segmenter(model.input_shape, HOW, Cut(tile=(64,))).begin(picture, is_file=False)


def test_pictures_are_resized_to_the_training_size_and_masks_back() -> None:
    how = Preprocessing(target="mask", channels=1, classes=1, side_multiple=8, image_size=(16, 24))
    model = Copy(None, None)
    picture = np.full((70, 90, 3), 255, np.uint8)
    prepared = Segmenter(model.input_shape, how, Cut()).begin(picture, is_file=True)
    assert prepared.tile.shape == (16, 24, 1)
    np.testing.assert_array_equal(predict(prepared, model), np.ones((70, 90, 1)))
    assert model.seen == {(16, 24)}
    native = Segmenter(model.input_shape, how, Cut(scale="native")).begin(picture, is_file=True)
    assert native.tile.shape == (72, 96, 1)
    stored = Segmenter(model.input_shape, how, Cut()).begin(picture[..., :1], is_file=False)
    assert stored.tile.shape == (72, 96, 1)  # arrays are used as stored


def test_finish_and_bands_agree_on_a_single_tile() -> None:
    model = Copy(None, None)
    picture = np.random.default_rng(0).integers(0, 65535, (21, 13, 1), np.uint16)
    prepared = Segmenter(model.input_shape, HOW, Cut()).begin(picture, is_file=False)
    ((start, found),) = prepared.finish(model.predict(prepared.tile[None])[0])
    assert start == 0
    np.testing.assert_array_equal(found, predict(prepared, model))
    np.testing.assert_array_equal(found, picture / np.float32(65535))


@pytest.mark.parametrize("shape", [(20, 20, 3), (4, 20, 20, 1), (20, 20)])
def test_pictures_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    segmenter = Segmenter((None, None, 1), HOW, Cut())
    with pytest.raises(ValueError, match="Expected: height x width x 1, as the model requires"):
        segmenter.begin(np.zeros(shape, np.float32), is_file=False)


def test_labels_are_not_tiled() -> None:
    labels = Preprocessing(target="label", channels=1, classes=3)
    check_cut(Cut(), labels)
    with pytest.raises(ValueError, match="Received: overlap for a model that predicts labels"):
        check_cut(Cut(overlap=0), labels)
