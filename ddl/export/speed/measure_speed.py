"""Run the inference benchmark: measure the variants in turn and save the results."""

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
from ddl.export.speed.variants import BF16, F32, INT8, PREDICT, TRACED, Variant, open_variants
from ddl.files import write_whole
from ddl.inference.backends.keras_backend import set_threads
from ddl.inference.trained_model import TrainedModel

_BASES = {TRACED: PREDICT, F32: PREDICT, BF16: F32, INT8: F32}


def measure_variants(
    benchmark: InferenceBenchmark, model: TrainedModel, checks: Samples, calibration: Samples
) -> str:
    """Measure all variants, save the results if `output` is set, and return the table.

    Raises:
        ValueError: the model cannot be loaded or exported.
    """
    if benchmark.threads:
        set_threads(benchmark.threads)
    with tempfile.TemporaryDirectory() as folder:
        variants = open_variants(benchmark, model, checks, calibration, Path(folder))
        picture = _picture(benchmark, checks)
        speeds = _measure(benchmark, variants, picture)
    results = figures(speeds, variants, _BASES)
    table = markdown(results)
    if benchmark.output is not None:
        facts = _facts(benchmark, picture) | {"ways": results}
        text = json.dumps(facts, indent=2) + "\n"
        write_whole(benchmark.output, lambda path: path.write_text(table, encoding="utf-8"))
        beside = benchmark.output.with_suffix(".json")
        write_whole(beside, lambda path: path.write_text(text, encoding="utf-8"))
    return table


def _measure(
    benchmark: InferenceBenchmark, variants: dict[str, Variant], picture: np.ndarray
) -> dict[str, Speed]:
    batch = np.repeat(picture[None], benchmark.batch_size, axis=0)
    speeds = measure_rates(
        {name: variant.calls["throughput"] for name, variant in variants.items()},
        batch,
        rounds=benchmark.rounds,
        seconds=benchmark.turn_s,
    )
    calls = {name: variant.calls["latency"] for name, variant in variants.items()}
    measure_latencies(calls, batch[:1], speeds, repeats=benchmark.latency_calls)
    return speeds


def _picture(benchmark: InferenceBenchmark, checks: Samples) -> np.ndarray:
    """Return the first sample, repeated or cropped to the benchmark's picture size."""
    picture = next(iter(checks)).picture
    size = benchmark.size or picture.shape[:2]
    repeats = [-(-wanted // side) for wanted, side in zip(size, picture.shape, strict=False)]
    return np.tile(picture, (*repeats, 1))[: size[0], : size[1]]


def _facts(benchmark: InferenceBenchmark, picture: np.ndarray) -> dict[str, Any]:
    return {
        "model": str(benchmark.model),
        "picture": list(picture.shape),
        "batch_size": benchmark.batch_size,
        "rounds": benchmark.rounds,
        "turn_s": benchmark.turn_s,
        "threads": benchmark.threads,
        "processor": machine.processor(),
        "instruction_sets": machine.instruction_sets(),
        "versions": {n: v for n, v in machine.versions().items() if n != "executable"},
    }
