"""Train the rows of `cases` in one process or on this job's ranks, and write what came out.

    python -m tests.distributed.worker --reference --out DIR
    mpirun -np 2 python -m tests.distributed.worker --out DIR

One process start takes seconds and a row one, so that one launch trains many rows. Rank 0 writes DIR/<row number>-
<precision>.npz as each is done: weights, optimizer slots, and losses and metrics of every epoch; or its error as .txt.
A row that fails on all ranks alike is reported and the next one runs; one that fails on some ends the job.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.distributed import sabotage
from tests.distributed.cases import CASES, SUBSET, Case
from tests.distributed.launches import result_path
from tests.distributed.subjects import losses_and_metrics, make_data, make_model
from tests.distributed.trainers import PlainTrainer, RankTrainer

Arrays = dict[str, np.ndarray]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this worker's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reference", action="store_true", help="one process, plain Keras, no ddl")
    parser.add_argument(
        "--cases", nargs="*", default=list(CASES), choices=list(CASES), metavar="CASE"
    )
    parser.add_argument("--precisions", nargs="*", default=None)
    parser.add_argument("--sabotage", choices=sabotage.KINDS, nargs="*", default=[])
    return parser


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    trainer: PlainTrainer = PlainTrainer() if args.reference else RankTrainer()
    gc.freeze()  # `clear_session` collects garbage: half a second a row where it walks all of TensorFlow
    for kind in args.sabotage or [None]:
        out = args.out / kind if kind else args.out
        out.mkdir(parents=True, exist_ok=True)
        with sabotage.applied(kind) if kind else contextlib.nullcontext():
            for name in args.cases:
                case = CASES[name]
                if kind is None or sabotage.concerns(kind, case, trainer.part.ranks):
                    _run(trainer, case, args.precisions, out)


def _run(trainer: PlainTrainer, case: Case, precisions: list[str] | None, out: Path) -> None:
    for precision in case.precisions:
        if precisions is not None and precision not in precisions:
            continue
        path, error, arrays = result_path(out, case, precision), None, {}
        started = time.process_time()
        with _precision(precision):
            try:
                arrays = train(trainer, case)
            except Exception:
                error = traceback.format_exc()
        trainer.agree(error)
        print(
            f"{time.process_time() - started:6.2f} s of CPU: {case.name} in {precision}", flush=True
        )
        if trainer.writes():
            if error:
                path.with_suffix(".txt").write_text(error)
            else:
                np.savez(path, **arrays)


def train(trainer: PlainTrainer, case: Case) -> Arrays:
    """Train one row and return everything that is compared. All ranks must call it."""
    train_data, test_data = make_data(case, case.samples, 1), make_data(case, case.validation, 2)
    model = make_model(case, trainer.batch_norm)
    if trainer.part.rank:
        for variable in model.trainable_variables:  # rank 0's weights must reach everyone
            variable.assign(variable * 1.5 + 0.1)
    optimizer = trainer.optimizer(make_optimizer(case), case)
    model.compile(optimizer, jit_compile=case.fit.get("jit_compile", False), **_compile(case))
    if case.name not in SUBSET and case.loop == "fit":
        _build(model, train_data[1])
    if case.loop.endswith("tape"):
        history = _tape_loop(trainer, case, model, train_data)
    else:
        history = _fit(trainer, case, model, train_data, test_data)
    trainer.finish(model)
    weights = {
        f"weight {i} {v.path}": v for i, v in enumerate(model.variables) if "seed" not in v.name
    }
    # The model's optimizer, not ours: `compile` may put a loss scale around it.
    slots = {f"slot {i} {v.name}": v for i, v in enumerate(model.optimizer.variables)}
    values = {name: np.asarray(v.numpy()) for name, v in (weights | slots).items()}
    return values | {
        f"{name} per epoch": np.asarray(value, np.float64) for name, value in history.items()
    }


def _build(model: keras.Model, y: Any) -> None:
    """Build what `fit` would build in its first step: Keras then traces the step once, not twice.

    ScheduleFreeAdamW needs it: built inside the traced step, it copies weights that are still zero (Keras 3.15).
    """
    one = keras.tree.map_structure(lambda leaf: tf.constant(leaf[:1]), y)
    model._compile_metrics.build(one, one)
    model._compile_loss.build(one, one)
    model.optimizer.build(model.trainable_variables)


def make_optimizer(case: Case) -> keras.optimizers.Optimizer:
    """Return the case's plain Keras optimizer."""
    options = dict(case.options)
    if options.get("learning_rate") == "warm-up":
        from ddl.distributed.learning_rate import scaled_learning_rate

        options["learning_rate"] = scaled_learning_rate(0.02, ranks=4, warmup_steps=5)
    if case.optimizer == "LossScale":
        return keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(**options), initial_scale=64.0
        )
    if case.optimizer == "Multi":
        return _multi_optimizer(**options)
    return getattr(keras.optimizers, case.optimizer)(**options)


def _multi_optimizer(**options: Any) -> keras.optimizers.Optimizer:
    chosen = keras.optimizers.OptimizerMap(keras.optimizers.Adam(**options))
    chosen["first"] = keras.optimizers.SGD(**options)
    return keras.optimizers.MultiOptimizer(chosen)


def _compile(case: Case) -> dict[str, Any]:
    return losses_and_metrics(case) | {k: v for k, v in case.fit.items() if k != "jit_compile"}


def _fit(
    trainer: PlainTrainer, case: Case, model: keras.Model, train_data: Any, test_data: Any
) -> Any:
    part = trainer.part
    fed = part.arrays(case, train_data) if case.feed == "arrays" else part.dataset(case, train_data)
    keywords = (
        {"batch_size": part.size(case.batch), "shuffle": False} if case.feed == "arrays" else {}
    )
    if isinstance(fed, tuple):
        keywords |= dict(zip(("x", "y", "sample_weight"), fed, strict=True))
    else:
        keywords["x"] = fed
    history = model.fit(
        **keywords,
        epochs=case.epochs,
        verbose=0,
        callbacks=trainer.callbacks(),
        validation_data=part.dataset(case, test_data) if case.validation else None,
    )
    return history.history


def _tape_loop(trainer: PlainTrainer, case: Case, model: keras.Model, data: Any) -> Any:
    say = trainer.step_samples if case.loop == "tape" else lambda count: contextlib.nullcontext()
    trainer.start(model)

    @tf.function(reduce_retracing=True)
    def step(x: Any, y: Any, count: Any) -> Any:
        with say(count):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
            found = tape.gradient(loss, model.trainable_variables)
            model.optimizer.apply_gradients(zip(found, model.trainable_variables, strict=True))
        return loss

    history: dict[str, list[float]] = {"loss": []}
    for _ in range(case.epochs):
        for x, y, _ in trainer.part.batches(case, data):
            loss = step(tf.constant(x), tf.constant(y), tf.constant(len(x)))
            history["loss"].append(trainer.mean(float(loss), len(x)))
    return history


@contextlib.contextmanager
def _precision(precision: str) -> Iterator[None]:
    mixed = precision.startswith("mixed")
    keras.backend.clear_session()
    keras.config.set_floatx("float32" if mixed else precision)
    keras.config.set_dtype_policy(precision if mixed else keras.config.floatx())
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


if __name__ == "__main__":
    main()
