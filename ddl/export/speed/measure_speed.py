"""Measures the ways to compute a model in turn, and writes down what came of it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ddl import machine
from ddl.export.reference_pictures import Samples
from ddl.export.speed.inference_benchmark import InferenceBenchmark
from ddl.export.speed.speed_table import figures, markdown
from ddl.export.speed.timing import Speed, measure_latencies, measure_rates
from ddl.export.speed.variants import (
    F32,
    INT8,
    PREDICT,
    TRACED,
    Contender,
    open_contenders,
    planned_exports,
)
from ddl.files import write_whole
from ddl.inference.backends.keras_backend import set_threads
from ddl.inference.trained_model import TrainedModel

_BASES = {TRACED: PREDICT, F32: PREDICT, "OpenVINO bf16": F32, INT8: F32}


def contest(
    benchmark: InferenceBenchmark, model: TrainedModel, checks: Samples, calibration: Samples
) -> str:
    """Measure, write the files that were asked for, and return the table.

    Raises:
        ValueError: the model cannot be loaded or exported.
    """
    if benchmark.threads:
        set_threads(benchmark.threads)
    with tempfile.TemporaryDirectory() as folder:
        exports = planned_exports(benchmark.model, benchmark.checkpoint, Path(folder))
        ways = open_contenders(model, exports, checks, calibration, benchmark.threads)
        picture = _picture(benchmark, checks)
        speeds = _measured(benchmark, ways, picture)
    found = figures(
        speeds,
        {name: way.parity for name, way in ways.items()},
        {name: way.bytes for name, way in ways.items()},
        _BASES,
    )
    table = markdown(found)
    if benchmark.output is not None:
        facts = _facts(benchmark, picture) | {"ways": found}
        text = json.dumps(facts, indent=2) + "\n"
        write_whole(benchmark.output, lambda path: path.write_text(table, encoding="utf-8"))
        beside = benchmark.output.with_suffix(".json")
        write_whole(beside, lambda path: path.write_text(text, encoding="utf-8"))
    return table


def _measured(
    benchmark: InferenceBenchmark, ways: dict[str, Contender], picture: np.ndarray
) -> dict[str, Speed]:
    batch = np.repeat(picture[None], benchmark.batch_size, axis=0)
    speeds = measure_rates(
        {name: way.calls["throughput"] for name, way in ways.items()},
        batch,
        rounds=benchmark.rounds,
        seconds=benchmark.turn_s,
    )
    calls = {name: way.calls["latency"] for name, way in ways.items()}
    measure_latencies(calls, batch[:1], speeds, repeats=benchmark.latency_calls)
    return speeds


def _picture(benchmark: InferenceBenchmark, checks: Samples) -> np.ndarray:
    """Return a sample, repeated to the size that is wanted."""
    shown = next(iter(checks)).shown
    size = benchmark.size or shown.shape[:2]
    times = [-(-side // there) for side, there in zip(size, shown.shape, strict=False)]
    return np.tile(shown, (*times, 1))[: size[0], : size[1]]


def _facts(benchmark: InferenceBenchmark, picture: np.ndarray) -> dict[str, Any]:
    return {
        "model": str(benchmark.model),
        "picture": list(picture.shape),
        "batch_size": benchmark.batch_size,
        "rounds": benchmark.rounds,
        "turn_s": benchmark.turn_s,
        "threads": benchmark.threads,
        "processor": machine.processor(),
        "versions": {n: v for n, v in machine.versions().items() if n != "executable"},
    }
