"""Tests a run's model on its test data, before and after training, for a plan with `evaluate`."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import tensorflow as tf

import ddl.distributed as dist
from ddl.data.source import Source
from ddl.distributed.keras_patches.uneven_batches import build_metrics
from ddl.distributed.state import model_state
from ddl.training.consensus import Consensus
from ddl.training.objectives.losses import needs_input
from ddl.training.record.recorder import Recorder
from ddl.training.run_setup import Setup
from ddl.training.steps.bad_data import naming_bad_data
from ddl.training.steps.run_batches import global_results, held_out_batches, held_out_steps
from ddl.training.steps.weighed_batches import for_outputs

logger = logging.getLogger("ddl")

PREFIX, PREFIX_BEFORE = "test_", "test_before_"
"""Of losses and metrics in the history's last epoch; of those before training, in its first."""


class Testing:
    """Evaluates every test sample once, over all ranks. Every rank has one, and all ranks call each method together."""

    def __init__(self, setup: Setup, recorder: Recorder) -> None:
        """Prepare it. Without a plan with `evaluate`, the methods do nothing."""
        self._model, self._run, self._recorder = setup.model, setup.run, recorder
        # Its own, because the loop's has measured the time of training steps.
        self._consensus, self._saver = Consensus(setup.run, setup.stop), setup.saver
        self._samples = setup.data.test if setup.run.plan.evaluate else None

    def before(self) -> None:
        """Test the model that a new run starts with. A run that resumes has done that.

        Raises:
            Interrupted: a signal or the time limit asked for it.
        """
        run = self._run
        if self._samples is not None and not (run.history or run.position.step):
            results = self._evaluate(self._samples, "before training")
            run.test_before = {f"{PREFIX_BEFORE}{name}": value for name, value in results.items()}

    def after(self) -> None:
        """Test the final model, and add the results to the last epoch of the history. Raises as `before` does."""
        if self._samples is not None and self._run.history:
            values = self._evaluate(self._samples, "after training")
            results = {f"{PREFIX}{name}": value for name, value in values.items()}
            self._run.history[-1] |= results
            self._recorder.end_test(results)

    def _evaluate(self, samples: Source, when: str) -> dict[str, float]:
        """Return losses and metrics under the plan's names."""
        model, run = self._model, self._run
        model_state.broadcast_state(model)
        model.reset_metrics()
        steps = held_out_steps(run, samples)
        with self._batches(samples) as batches:
            build_metrics(model, batches.element_spec)
            model.make_test_function()
            iterator = iter(batches)
            for number in range(1, steps + 1):
                model.test_function(iterator)
                self._recorder.testing(number, steps, when)
                if self._consensus.is_due(1) and (stop := self._consensus.reach().stop):
                    raise self._saver.interrupted(stop)
        values = run.named(global_results(model))
        results = {name: float(value) for name, value in values.items()}
        model.reset_metrics()
        if dist.is_root():
            numbers = ", ".join(f"{PREFIX}{name} {value:.4g}" for name, value in results.items())
            logger.info("%d test samples %s: %s.", len(samples), when, numbers)
        return results

    @contextlib.contextmanager
    def _batches(self, samples: Source) -> Iterator[tf.data.Dataset]:
        opened = held_out_batches(self._run, samples)
        with naming_bad_data(opened), opened:
            from_input = needs_input(self._run.plan.loss)
            yield for_outputs(self._model, opened.dataset, needs_input=from_input)
