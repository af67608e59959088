"""Your own source needs three members, and views pass on everything that they do not change."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.data.batches.batch_reader import BatchReader
from ddl.data.batches.sample_cache import Cached
from ddl.data.inputs_and_targets import LabelSamples, MaskSamples, Scaled, scaled
from ddl.data.source import Field, Source, Subset, View, origin_of
from ddl.data.sources import open_source
from ddl.data.sources.arrays import Arrays
from ddl.training.data.training_data import TrainingData
from tests.data import make


def documented_example() -> Source:
    """Return the source that the docstring of `Source` shows."""
    lines = textwrap.dedent(inspect.getdoc(Source) or "").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    class "))
    end = next(number for number, line in enumerate(lines) if line.startswith("Memory"))
    names: dict[str, Any] = {"Source": Source, "Field": Field, "np": np}
    exec(textwrap.dedent("\n".join(lines[start:end])), names)  # noqa: S102
    made: Source = names["Squares"]()
    return made


def test_the_documented_example_is_a_whole_source() -> None:
    source = documented_example()
    assert (source.name_of(7), source.class_names, dict(source.manifest)) == ("7", (), {})
    assert source.read_column("mask") is None
    assert source.source is None
    samples = MaskSamples(Subset(source, [9, 5]))
    assert origin_of(samples) is source
    inputs, masks = BatchReader(samples)(0, np.array([1, 0]))
    assert inputs.shape == masks.shape == (2, 64, 64, 1)
    assert masks.sum((1, 2, 3)).tolist() == [9 * 9, 13 * 13]
    samples.close()


def test_views_pass_on_names_and_the_manifest(tmp_path: Path) -> None:
    folders = open_source(make.classes(tmp_path / "classes"))
    for view in (Subset(folders, [4, 0]), Cached(Subset(folders, [4, 0]), 1 << 20)):
        assert view.class_names == ("cat", "dog")
        assert view.name_of(0) == folders.name_of(4)
        assert LabelSamples(view, 2).name_of(1) == folders.name_of(0)
        assert LabelSamples(view, 2).class_names == ("cat", "dog")
    assert isinstance(LabelSamples(folders, 2), View)
    assert make_manifest_view(tmp_path).manifest == {"class_names": ["a", "b"]}


def make_manifest_view(folder: Path) -> Source:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file["image"], file["label"] = make.arrays()[0], np.arange(len(make.arrays()[0])) % 2
        file["manifest"] = '{"class_names": ["a", "b"]}'
    source = LabelSamples(open_source(folder / "a.h5"), 2)
    assert source.class_names == ("a", "b")
    return source


def test_inputs_are_scaled_once_and_by_their_depth() -> None:
    pictures = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    source = Arrays({"image": pictures}, "test")
    samples = scaled(source)
    assert isinstance(samples, Scaled)
    assert samples.read([1, 0])["image"].ravel().tolist() == [1, 0]
    assert samples.fields["image"] == Field((1, 1, 1), np.dtype(np.float32))
    assert scaled(samples) is samples
    assert source.read([1])["image"].tolist() == [[[[255]]]]


def test_an_object_that_is_not_a_source_is_refused() -> None:
    class Own:
        pass

    good = documented_example()
    with pytest.raises(ValueError, match=r"class Own\. Expected: a subclass of ddl\.data\.source"):
        TrainingData(good, Own(), 1)  # type: ignore[arg-type]
