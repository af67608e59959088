"""Supervised training of a model whose layers are divided among ranks.

A group of ranks holds the model once; its ranks read the same samples. In a step micro-batches pass through the parts
forward and backward. Then all ranks add up their gradients: a rank has zeros for the layers of other parts. So one
reduction gives all ranks the gradient of the global batch, and weights, optimizer and checkpoints are those of
synchronous training.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.data import sharding
from ddl.data.batches import pipeline
from ddl.distributed.keras_patches.uneven_batches import build_metrics
from ddl.distributed.state import model_state
from ddl.distributed.state.variables import assign, flat, split_like
from ddl.training.data.training_data import TrainingData
from ddl.training.parallel.partition.check import division_of
from ddl.training.parallel.partition.exchange import Exchange, micro_batches
from ddl.training.parallel.partition.messages import Messages, point_to_point
from ddl.training.parallel.partition.part import InnerPart, LastPart
from ddl.training.parallel.partition.place import Place
from ddl.training.parallel.partition.schedule import FORWARD, in_flight, one_forward_one_backward
from ddl.training.plan.modes.partition import parts_of_model
from ddl.training.profiling.profile import Profile
from ddl.training.run import Run
from ddl.training.steps.nonfinite import check_losses
from ddl.training.steps.run_batches import open_batches
from ddl.training.steps.step import Taken
from ddl.training.steps.supervised import CHECK_DESYNC_STEPS, SupervisedSteps

logger = logging.getLogger("ddl")


class PartitionedSteps(SupervisedSteps):
    """Takes steps with all ranks that hold the model. `ddl.training.steps.step.Steps` documents the methods."""

    def __init__(
        self, model: keras.Model, run: Run, data: TrainingData, profile: Profile | None = None
    ) -> None:
        """Prepare training. Rank 0's weights count."""
        super().__init__(model, run, data, profile)
        self._place = Place(dist.rank(), parts_of_model(run.plan))
        self._groups = dist.size() // self._place.parts
        self._division, blocks, samples = division_of(model, run)
        kind = LastPart if self._place.is_last else InnerPart
        self._part: Any = kind(model, self._division, self._place.part, blocks)
        self._exchange = Exchange(self._division, self._place, Messages(point_to_point()))
        owners = self._division.owner_of(model.variables)
        self._own = [owner == self._place.part for owner in owners]
        if data.validation is not None:
            self.validation_steps = sharding.evaluation_steps(
                len(data.validation), run.order.per_rank_batch_size, self._groups
            )
        if dist.is_root():
            for part in range(self._place.parts):
                waiting = in_flight(part, self._place.parts, run.plan.micro_batches)
                logger.info("%s.", self._division.told(part, samples, waiting))

    def __enter__(self) -> PartitionedSteps:
        run, model = self._run, self.model
        training, held_out = self._open_batches()
        batches = self._train_on(training)
        self._validation = [self._opened(part) for part in held_out]
        model_state.build_optimizer(model)
        build_metrics(model, batches.element_spec)
        model_state.broadcast_state(model)
        model_state.keep_private(model, False)
        run.compiled = False
        variables = model.trainable_variables

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def update(gradients: Any) -> None:
            model.optimizer.apply(gradients, variables)

        self._update = update
        self._batches = iter(batches)
        return self

    def take(self, most: int) -> Taken:
        """Take one step."""
        begin = time.perf_counter()
        run, scale = self._run, dist.size() / self._samples_of_step()
        batch = next(self._batches)
        sums = [None] * len(self.model.trainable_variables)
        logs, loss = self._pass(batch, scale, sums)
        self._update(
            [
                tf.zeros(variable.shape, variable.dtype) if total is None else total
                for variable, total in zip(self.model.trainable_variables, sums, strict=True)
            ]
        )
        self._exchange.finish()
        self._losses.append(tf.constant(loss, tf.float64))
        self.first_step_s = self.first_step_s or time.perf_counter() - begin
        self._until_desync_check -= 1
        if self._until_desync_check <= 0:
            self._until_desync_check = CHECK_DESYNC_STEPS
            self._share()
            model_state.check_desync(self.model, f"after batch {run.position.step + 1}")
        return Taken(1, logs)

    def check_losses(self, last_good: Callable[[], str]) -> None:
        losses = [float(loss) for part in self._losses for loss in part.numpy().ravel()]
        self._losses.clear()
        check_losses(losses, self._run, self._data.training, last_good, share=self._place.group)

    def validate(self) -> Iterator[Mapping[str, Any]]:
        self._training_sums = self._sums()
        self.model.reset_metrics()
        with self._average.in_place():
            for dataset in self._validation:
                batches = iter(dataset)
                for _ in range(self.validation_steps):
                    yield self._tested(next(batches))

    def outputs(self) -> Any:
        self._share()  # rank for rank with the whole model, without a backward pass
        return super().outputs()

    @contextlib.contextmanager
    def training_state(self) -> Iterator[None]:
        self._share()
        with super().training_state():
            yield

    def end_epoch(self) -> None:
        self._training_sums = []
        model_state.average_accumulators(self.model)
        self._share()
        model_state.check_desync(self.model, f"at the end of epoch {self._run.position.epoch + 1}")

    def _open_batches(self) -> tuple[pipeline.Batches, list[pipeline.Batches]]:
        """Return the batches of the rank's group."""
        return open_batches(self._run, self._data, place=(self._place.group, self._groups))

    def _samples_of_step(self) -> int:
        """Return the samples of the next step, over all groups."""
        order, step = self._run.order, self._run.position.step
        if order.kind == "global":
            return min(order.global_batch_size, order.count - step * order.global_batch_size)
        per_rank, total = order.per_rank_batch_size, 0
        for group in range(self._groups):
            first, end = sharding.shard_bounds(order.count, group, self._groups)
            total += min(per_rank, max(0, end - first - step * per_rank))
        return total

    def _divided(self, batch: Any) -> list[tuple[Any, Any, Any, int]]:
        """Return the micro-batches of this group's batch as (x, y, sample weights, samples). There may be none."""
        count = int(tf.nest.flatten(batch)[0].shape[0])
        number = min(self._run.plan.micro_batches, count)
        bounds = [sharding.shard_bounds(count, part, number) for part in range(number)]
        return [
            (*keras.utils.unpack_x_y_sample_weight(part), end - first)
            for part, (first, end) in zip(micro_batches(batch, bounds), bounds, strict=True)
        ]

    def _pass(self, batch: Any, scale: float, sums: list[Any]) -> tuple[dict[str, Any], float]:
        """Take this rank's part in a step, and add its gradients to the sums. Return logs and loss of the last part."""
        parts, logs, total = self._divided(batch), {}, 0.0
        waiting: dict[int, Any] = {}
        order = one_forward_one_backward(self._place.part, self._place.parts, len(parts))
        for what, number in order:
            x, y, weight, samples = parts[number]
            if self._place.is_last:
                if what == FORWARD:
                    given = self._exchange.take(number)
                    own = tf.constant(scale * samples, tf.float64)
                    of_given, of_weights, loss, logs = self._part.step(x, given, y, weight, own)
                    self._exchange.give_gradients(number, of_given)
                    _add(sums, self._places, of_weights)
                    total += float(loss) * samples
                continue
            if what == FORWARD:
                given = self._exchange.take(number)
                made, state = self._part.forward(x, given)
                self._exchange.give(number, made)
                waiting[number] = given, state
            else:
                given, state = waiting.pop(number)
                upstream = self._exchange.take_gradients(number)
                of_given, of_weights = self._part.backward(x, given, state, upstream)
                self._exchange.give_gradients(number, of_given)
                _add(sums, self._places, of_weights)
        samples = sum(part[-1] for part in parts)
        return {"loss": 0.0, **logs}, total / max(1, samples)

    @property
    def _places(self) -> list[int]:
        """Where the part's weights are among the model's."""
        place = {id(v): at for at, v in enumerate(self.model.trainable_variables)}
        return [place[id(variable)] for variable in self._part.weights]

    def _tested(self, batch: Any) -> dict[str, Any]:
        logs: dict[str, Any] = {}
        for number, (x, y, weight, _) in enumerate(self._divided(batch)):
            given = self._exchange.take(number)
            if self._place.is_last:
                logs = self._part.test(x, given, y, weight)
            else:
                self._exchange.give(number, self._part.infer(x, given))
        self._exchange.finish()
        return {"loss": 0.0, **logs}

    def _share(self) -> None:
        """Give all ranks the moving statistics of the ranks whose layers have them. All ranks must call it."""
        shared = [
            (variable, own)
            for variable, own in zip(self.model.variables, self._own, strict=True)
            if not variable.trainable and np.dtype(variable.numpy().dtype).kind == "f"
        ]
        if not shared:
            return
        values = [np.asarray(v.numpy(), np.float64) * own / self._groups for v, own in shared]
        total = dist.allreduce(flat(values), "sum")
        assign([v for v, _ in shared], split_like(total, values))


def _add(sums: list[Any], places: list[int], gradients: list[Any]) -> None:
    for place, gradient in zip(places, gradients, strict=True):
        if gradient is not None:
            known = sums[place]
            sums[place] = gradient if known is None else known + gradient
