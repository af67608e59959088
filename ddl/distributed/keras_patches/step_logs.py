"""The logs of `fit` and `evaluate` over all ranks, whatever a model's own `train_step` or `test_step` returns.

Keras asks the model's metrics for an epoch's logs if a step returns exactly their names. Otherwise it takes what the
last step returned, which on several ranks are the values of one rank. Here each returned value is traced to its
source: the result of a metric is computed again from the metric's state over all ranks; any other value is averaged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddl.distributed import runtime
from ddl.distributed.gradients.step_share import sample_count
from ddl.distributed.state.reduced_metrics import reduced_state

Path = tuple[Any, ...]
"""Keys from the returned dict down to a value."""


@dataclass
class Sources:
    """Where the values that a model's step returns come from.

    Attributes:
        metrics: path of a value -> its metric, and the path within the metric's result.
        others: paths of values that are not the result of a metric.
        derived: paths of values computed from the result of a metric.
        count: samples of this rank in its last step.
    """

    metrics: dict[Path, tuple[keras.metrics.Metric, Path]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    derived: list[Path] = field(default_factory=list)
    count: tf.Variable | None = None


def noted(model: keras.Model, step: Callable[[Any], Any], kind: str) -> Callable[[Any], Any]:
    """Wrap a train or test step so that `reduced_logs` knows the source of each value that it returns.

    Args:
        model: the model whose step it is.
        step: the step.
        kind: "train" or "test".
    """
    with tf.init_scope():
        count = tf.Variable(0.0, dtype=tf.float64, trainable=False)

    def step_with_sources(data: Any) -> Any:
        results: list[Result] = []
        before = _sources_of(model).get(kind)
        # In a graph, operations show what a value is computed from. An eager step needs a tape, which costs memory.
        traced = tf.executing_eagerly() and before is None
        tape = tf.GradientTape(persistent=True) if traced else None
        with tape or contextlib.nullcontext(), _recording(model, results, tape):
            logs = step(data)
        sources = _find_sources(logs, results, tape)
        if tf.executing_eagerly() and before is not None:
            sources.derived = before.derived
        sources.count = count
        _sources_of(model)[kind] = sources
        if sources.others:
            count.assign(tf.cast(sample_count(data), count.dtype))
        if sources.derived and not _keras_asks_metrics(model, logs):
            _refuse_derived(model, sources, kind)
        return logs

    return step_with_sources


def reduced_logs(model: keras.Model, logs: Any, kind: str) -> Any:
    """Return the logs of the last step as one process would have returned them. All ranks must call it."""
    sources = _sources_of(model).get(kind)
    if sources is None or not isinstance(logs, dict):
        return logs
    with reduced_state(model):
        found = {
            path: _leaf(metric.result(), inner) for path, (metric, inner) in sources.metrics.items()
        }
        found = {path: keras.ops.convert_to_numpy(value) for path, value in found.items()}
    return _replaced(logs, found | _averages(logs, sources))


def _averages(logs: Any, sources: Sources) -> dict[Path, np.ndarray]:
    """Return the means over ranks of the values that come from no metric, weighted by samples."""
    values = {path: np.asarray(_leaf(logs, path)) for path in sources.others}
    values = {path: value for path, value in values.items() if value.dtype.kind in "biuf"}
    if not values:
        return {}
    count = float(sources.count.numpy()) if sources.count is not None else 1.0
    weighted = [
        count * value.astype(np.float64) if count else 0.0 * np.ones(value.shape)
        for value in values.values()
    ]
    sums = runtime.allreduce(np.concatenate([[count], *map(np.ravel, weighted)]), "sum")
    means, at = {}, 1
    for path, value in values.items():
        means[path] = (sums[at : at + value.size] / max(sums[0], 1.0)).reshape(value.shape)
        at += value.size
    return means


@dataclass(frozen=True)
class Result:
    """A value that a metric computed during a step."""

    value: Any
    metric: keras.metrics.Metric
    inner: Path  # within the metric's result, which may be a dict


@contextlib.contextmanager
def _recording(
    model: keras.Model, results: list[Result], tape: tf.GradientTape | None
) -> Iterator[None]:
    """Record each result that a metric of the model computes inside the block, on the tape, too, if there is one."""
    metrics = _metrics_of(model)
    for metric in metrics:
        object.__setattr__(metric, "result", _recorder(metric, metric.result, results, tape))
    try:
        yield
    finally:
        for metric in metrics:
            metric.__dict__.pop("result", None)


def _recorder(
    metric: keras.metrics.Metric,
    compute: Callable[[], Any],
    results: list[Result],
    tape: tf.GradientTape | None,
) -> Callable[[], Any]:
    def result() -> Any:
        values = compute()
        for inner, value in _leaves(values):
            if tape is not None and tf.is_tensor(value) and value.dtype.is_floating:
                tape.watch(value)
            results.append(Result(value, metric, inner))
        return values

    return result


def _metrics_of(model: keras.Model) -> list[keras.metrics.Metric]:
    """Return the model's metrics, and those that compiled metrics consist of."""
    found = list(model.metrics)
    for metric in model.metrics:
        found += getattr(metric, "metrics", [])
    return list({id(metric): metric for metric in found}.values())


def _find_sources(logs: Any, results: list[Result], tape: tf.GradientTape | None) -> Sources:
    sources = Sources()
    by_value = {id(result.value): result for result in results}
    for path, value in _leaves(logs) if isinstance(logs, dict) else ():
        if result := by_value.get(id(value)) or _as_number(path, value, results):
            sources.metrics[path] = (result.metric, result.inner)
            continue
        sources.others.append(path)
        if _depends_on(value, by_value, tape):
            sources.derived.append(path)
    return sources


def _as_number(path: Path, value: Any, results: list[Result]) -> Result | None:
    """Return the result that an eager step has turned into a number, as in `{"mae": float(self.mae.result())}`."""
    if not isinstance(value, float | np.floating | np.ndarray) or not tf.executing_eagerly():
        return None
    same_name = [result for result in results if path[-1] in (result.metric.name, *result.inner)]
    return next((r for r in same_name if np.array_equal(value, r.value, equal_nan=True)), None)


def _depends_on(value: Any, results: dict[int, Result], tape: tf.GradientTape | None) -> bool:
    """Return whether a tensor is computed from one of the results."""
    if not results or not tf.is_tensor(value):
        return False
    if tf.executing_eagerly():
        if tape is None or not value.dtype.is_floating:
            return False
        values = [r.value for r in results.values() if tf.is_tensor(r.value)]
        with contextlib.suppress(LookupError):  # an operation without a gradient
            return any(slope is not None for slope in tape.gradient(value, values))
        return False
    reached, ahead = set(), [value]
    while ahead:
        tensor = ahead.pop()
        if id(tensor) in results:
            return True
        if id(tensor.op) not in reached:
            reached.add(id(tensor.op))
            ahead += tensor.op.inputs
    return False


def _keras_asks_metrics(model: keras.Model, logs: Any) -> bool:
    """Return whether Keras takes the epoch's logs from the metrics, because a step returns exactly their names."""
    return set(logs) == set(type(model).get_metrics_result(model))


def _refuse_derived(model: keras.Model, sources: Sources, kind: str) -> None:
    """Refuse a value that cannot be computed over all ranks, where the caller asked for that.

    Raises:
        ValueError: names the value and the remedy.
    """
    if "_get_metrics_result_or_logs" not in model.__dict__:
        return
    name = "/".join(map(str, sources.derived[0]))
    raise ValueError(
        f"Received: a {kind}_step that returns {name!r}, which is computed from a metric's result, on "
        f"{runtime.size()} ranks: its value over all ranks is unknown. Expected: the result of a metric itself, such "
        f"as {{{name!r}: metric.result()}}; write a keras.metrics.Metric whose result() is this value."
    )


def _sources_of(model: keras.Model) -> dict[str, Sources]:
    if "_ddl_log_sources" not in model.__dict__:
        object.__setattr__(model, "_ddl_log_sources", {})
    found: dict[str, Sources] = model.__dict__["_ddl_log_sources"]
    return found


def _leaves(values: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the values of nested dicts with their paths."""
    if not isinstance(values, dict):
        yield path, values
        return
    for key, value in values.items():
        yield from _leaves(value, (*path, key))


def _leaf(values: Any, path: Path) -> Any:
    for key in path:
        values = values[key]
    return values


def _replaced(values: Any, new: dict[Path, Any], path: Path = ()) -> Any:
    """Return nested dicts with some of their values replaced."""
    if not isinstance(values, dict):
        return new.get(path, values)
    return {key: _replaced(value, new, (*path, key)) for key, value in values.items()}
