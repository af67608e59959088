"""What feeds a model stays the same size however many epochs there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ddl.training.epochs import Feed


def test_batches_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def validation(self: Feed) -> Any:
        made.append(SimpleNamespace(dataset=SimpleNamespace(element_spec="spec")))
        return made[-1]

    monkeypatch.setattr(Feed, "_validation", validation)
    monkeypatch.setattr(Feed, "_for_outputs", lambda self, dataset: dataset)
    feed = object.__new__(Feed)
    assert [feed.batch_spec for _ in range(3)] == ["spec"] * 3
    assert len(made) == 1  # TensorFlow keeps every function that a dataset has
