"""The cost of metrics in every step and of a desync check every 100 steps, each timed alone."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

import ddl.distributed as dist
from benchmarks.keras_fit import compiled
from ddl.benchmark.comparison import draw_comparison
from ddl.benchmark.plans import METRICS
from ddl.benchmark.reports import markdown, report, rounded, shown, summary
from ddl.benchmark.requests import Request
from ddl.benchmark.runner import Setup, run_trial
from ddl.benchmark.trial import Trial
from ddl.models.zoo import target_of

CHECK_EVERY_STEPS = 100
"""As `ddl.distributed.standard_callbacks` does."""
_EXTRAS = {"metrics": ("metrics_s", 1), "desync check": ("desync_s", CHECK_EVERY_STEPS)}
"""What is timed -> its key in a trial's result, and the steps between two of them."""
_UPDATES = 20


@dataclass(frozen=True, kw_only=True)
class ExtrasRequest(Request):
    """Measurement. Each part is called once for each step of the epochs after the first."""

    ranks: int = 2

    def run(self) -> None:
        """Measure the extras, and report them."""
        report(self.output, measure_extras(self), extras_table, draw_comparison)


def measure_extras(request: ExtrasRequest) -> dict[str, Any]:
    """Return the share of a step's time of each extra, as JSON values."""
    setup = Setup(
        request.trial(request.ranks, way=f"{__name__}:time_extras"), request.ranks, request.threads
    )
    trials = [run_trial(setup) for _ in range(request.rounds)]
    shares = {
        name: [100 * trial[seconds] / steps / trial["step_s"] for trial in trials]
        for name, (seconds, steps) in _EXTRAS.items()
    }
    return {
        "benchmark": "extras",
        "unit": "% of a step",
        "values": {name: summary(share) | {"all": share} for name, share in shares.items()},
        "results": {"extras": trials},
    }


def extras_table(result: dict[str, Any]) -> str:
    """Return a table with a row for each extra."""
    trials = result["results"]["extras"]
    rows = [
        [name, rounded(1e3 * median(trial[_EXTRAS[name][0]] for trial in trials)), shown(values)]
        for name, values in result["values"].items()
    ]
    rows.append(["step", rounded(1e3 * median(trial["step_s"] for trial in trials)), "100"])
    return markdown(["extras", "ms", result["unit"]], rows)


def time_extras(trial: Trial) -> dict[str, Any]:
    """Return the seconds of a step, of its metrics, and of a desync check. All ranks must call it."""
    dist.init()
    import keras
    import tensorflow as tf

    from ddl.training.objectives.metrics import build_metric

    model, images, targets = compiled(trial)
    metric = build_metric(METRICS[target_of(trial.model, trial.model_option)][0])
    optimizer = dist.DistributedOptimizer(
        keras.optimizers.Adam(1e-3), compression=trial.compression
    )
    model.compile(optimizer, model.loss, metrics=[metric])
    few = trial.per_rank_batch_size
    batch = tf.constant(images[:few]), tf.constant(targets[:few])
    calls = (trial.epochs - 1) * trial.samples // (few * dist.size())
    step_s = _seconds(lambda: model.train_on_batch(*batch), calls)
    shape = model.compute_output_shape(batch[0].shape)
    # Different values: TensorFlow would compute equal ones only once.
    pairs = [(tf.identity(batch[1]), tf.random.uniform(shape)) for _ in range(1 + _UPDATES)]

    @tf.function
    def update(times: int) -> Any:
        results = []
        for target, guess in pairs[:times]:
            metric.update_state(target, guess)
            results.append(metric.result())
        return results

    once, often = (_seconds(functools.partial(update, times), calls) for times in (1, 1 + _UPDATES))
    return {
        "step_s": step_s,
        "metrics_s": max(0.0, often - once)
        / _UPDATES,  # without the call of the function, which training shares
        "desync_s": _seconds(lambda: dist.find_desync(model), calls),
    }


def _seconds(call: Callable[[], object], calls: int) -> float:
    """Return the median over so many calls, after a first one, averaged over ranks."""
    seconds = []
    for _ in range(calls + 1):
        dist.barrier()
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return float(np.mean(dist.allgather(median(seconds[1:]))))
