"""Predictors of models that give log-probabilities or logits give probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.preprocessing import Preprocessing, preprocessing_from_json
from ddl.inference.backends.normalized import normalizing


class Linear:
    """A predictor of the values that it is given, doubled."""

    input_shape, classes = (None, None, 2), 2
    closed = False

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return 2 * batch

    def close(self) -> None:
        self.closed = True


def test_outputs_become_probabilities_after_inputs_are_normalized() -> None:
    how = Preprocessing(
        target="mask",
        channels=2,
        classes=2,
        activation="softmax",
        mean=(0.5, 0.0),
        deviation=(1, 2),
    )
    inner = Linear()
    predictor = normalizing(inner, how)
    batch = np.asarray([[[[0.5, 2.0]]]], np.float32)
    expected = np.exp([0.0, 2.0]) / np.exp([0.0, 2.0]).sum()
    np.testing.assert_allclose(predictor.predict(batch)[0, 0, 0], expected, rtol=1e-6)
    assert (predictor.classes, predictor.input_shape) == (2, (None, None, 2))
    predictor.close()
    assert inner.closed


def test_it_is_stored_where_it_is_needed() -> None:
    plain = Preprocessing(target="label", channels=1, classes=2)
    assert "activation" not in plain.to_dict()
    logits = Preprocessing(target="label", channels=1, classes=2, activation="sigmoid")
    assert preprocessing_from_json(logits.to_json()) == logits
    inner = Linear()
    assert normalizing(inner, plain) is inner
    with pytest.raises(ValueError, match=r"activation='tanh'. Expected one of: none, exp, sigmoid"):
        Preprocessing(target="label", channels=1, classes=2, activation="tanh")
