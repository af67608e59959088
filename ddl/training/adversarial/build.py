"""Compiles the model of a GAN for all ranks: two distributed optimizers with one schedule."""

from __future__ import annotations

from typing import Any

import ddl.distributed as dist
from ddl.training.adversarial.draws import Draws
from ddl.training.adversarial.model import Gan
from ddl.training.adversarial.optimizer import PairedOptimizer
from ddl.training.adversarial.samples.trained_generator import DISCRIMINATOR, GENERATOR
from ddl.training.optimization.optimizers import build_optimizer
from ddl.training.run import Run


def compile_gan(model: Gan, run: Run, learning_rate: Any) -> None:
    """Give the model its optimizers and its random numbers. All ranks must call it."""
    plan, order = run.plan, run.order
    pair = PairedOptimizer(learning_rate)
    parts = {}
    for name in (GENERATOR, DISCRIMINATOR):
        plain = build_optimizer(plan.optimizer, pair.rate, **plan.optimizer_option)
        distributed = dist.DistributedOptimizer(
            plain, compression=plan.compression, gradient_norm=True
        )
        parts[name] = (distributed, model.get_layer(name).trainable_weights)
    pair.hold(**parts)
    model.compile(pair, jit_compile=False)
    dist.reduces_itself(model)
    batch = min(order.global_batch_size, order.count)
    last = order.samples_per_epoch - (order.steps_per_epoch - 1) * order.global_batch_size
    draws = Draws(plan.seed, dist.rank(), dist.size(), batch, order.steps_per_epoch, last)
    model.prepare(plan, pair, draws)
