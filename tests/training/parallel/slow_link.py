"""What one rank does behind a slow link: train the same model with sync and with local steps, and time both.

    mpirun -np 2 ... python -m tests.training.parallel.slow_link FOLDER JSON

The link's rate may be a real one (two network namespaces). Its delay is put into the reduction by `delayed`, because
many kernels have no netem: each grouped all-reduce sleeps before it starts. Other messages are not delayed.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

import ddl.distributed as dist
from ddl.distributed import runtime
from ddl.training.loop import train
from ddl.training.parallel.local import LocalSteps
from ddl.training.plan.plan import Plan
from ddl.training.steps.supervised import SupervisedSteps


@contextlib.contextmanager
def delayed(seconds: float, bytes_per_s: float = 0.0) -> Iterator[None]:
    """Let every grouped all-reduce sleep first: a delay, and the time of its bytes at a rate (0: a real link's)."""
    hvd = runtime.horovod()
    reduce = hvd.grouped_allreduce

    def slow(tensors: list[tf.Tensor], **how: Any) -> Any:
        wire = sum(t.shape.num_elements() * t.dtype.size for t in tensors)
        pause = seconds + (wire / bytes_per_s if bytes_per_s else 0.0)

        def sleep() -> int:
            time.sleep(pause)
            return 0

        with tf.control_dependencies(tensors):  # when they are ready
            slept = tf.py_function(sleep, [], tf.int32)
        with tf.control_dependencies([slept]):
            return reduce([tf.identity(tensor) for tensor in tensors], **how)

    hvd.grouped_allreduce = slow
    try:
        yield
    finally:
        hvd.grouped_allreduce = reduce


@contextlib.contextmanager
def clocks(found: dict[str, list[float]]) -> Iterator[None]:
    """Note the seconds of a step: of sync, of a round's steps alone, and of a step of a round with its average."""
    kept = SupervisedSteps.take, LocalSteps.take, LocalSteps._take_alone

    def take(self: Any, most: int) -> Any:
        begin = time.perf_counter()
        taken = kept[0](self, most)
        float(taken.logs["loss"])
        found["sync"].append((time.perf_counter() - begin) / taken.count)
        return taken

    def take_round(self: Any, most: int) -> Any:
        begin = time.perf_counter()
        taken = kept[1](self, most)
        found["local"].append((time.perf_counter() - begin) / taken.count)
        return taken

    def take_alone(self: Any, count: int) -> None:
        begin = time.perf_counter()
        kept[2](self, count)
        float(self._logs["loss"])
        found["alone"].append((time.perf_counter() - begin) / count)

    SupervisedSteps.take, LocalSteps.take = take, take_round  # type: ignore[method-assign]
    LocalSteps._take_alone = take_alone  # type: ignore[method-assign]
    try:
        yield
    finally:
        SupervisedSteps.take, LocalSteps.take = kept[:2]  # type: ignore[method-assign]
        LocalSteps._take_alone = kept[2]  # type: ignore[method-assign]


def time_modes(folder: Path, request: dict[str, Any]) -> dict[str, float]:
    """Return the seconds of a step in each mode, medians without the first ones, and what arithmetic allows.

    Args:
        folder: for the runs.
        request: "fields" of both plans; "sync_every"; "epochs" of sync and of local; "delay_s" and "bytes_per_s".
    """
    fields, every = request["fields"], request["sync_every"]
    found: dict[str, list[float]] = {"sync": [], "local": [], "alone": []}
    common = {"tensorboard": False, "jit": "false", "validation_part": 0.0, "monitor": "loss"}
    common |= {"checkpoint_every_epochs": 0, "steps_per_execution": 0, "warmup_epochs": 0}
    given = {**common, **fields, "image_size": (fields["image_size"],) * 2}
    with delayed(request["delay_s"], request["bytes_per_s"]), clocks(found):
        train(Plan(run_dir=folder / "sync", epochs=request["sync_epochs"], **given))
        local = {"parallel": "local", "sync_every": every}
        train(Plan(run_dir=folder / "local", epochs=request["local_epochs"], **given, **local))
    medians = {
        name: statistics.median(values[len(values) // 3 :]) for name, values in found.items()
    }
    step, wire = medians["alone"], medians["sync"] - medians["alone"]
    allowed = (step + wire) / (step + wire / every)
    reports = [
        json.loads((folder / name / "report.json").read_text()) for name in ("sync", "local")
    ]
    return {
        **{f"{name}_step_s": seconds for name, seconds in medians.items()},
        "wire_s": wire,
        "allowed": allowed,
        "faster": medians["sync"] / medians["local"],
        "sync_mib_an_epoch": reports[0]["sent_mib"][0] / request["sync_epochs"],
        "local_mib_an_epoch": reports[1]["sent_mib"][0] / request["local_epochs"],
    }


def main() -> None:
    """Join the job, time both modes, and let rank 0 write the result."""
    folder, request = Path(sys.argv[1]), json.loads(sys.argv[2])
    dist.init()
    found = time_modes(folder, request)
    if dist.is_root():
        (folder / "result.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
