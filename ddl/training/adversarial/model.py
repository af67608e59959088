"""The model of a GAN: nested networks of known names, and what one step computes."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ddl.distributed.keras_patches.optimizer import gradient_norm_of
from ddl.models.adversarial.table import DISCRIMINATORS, GENERATORS
from ddl.training.adversarial import losses
from ddl.training.adversarial.draws import BETWEEN, OF_DISCRIMINATOR, OF_GENERATOR, Draws
from ddl.training.adversarial.optimizer import PairedOptimizer
from ddl.training.adversarial.samples.trained_generator import AVERAGE, DISCRIMINATOR, GENERATOR
from ddl.training.plan.plan import Plan

LOSSES = ("discriminator_loss", "generator_loss")
NORMS = ("discriminator_gradient_norm", "generator_gradient_norm")


def gan_model(plan: Plan, shape: tuple[int, ...], classes: int) -> Gan:
    """Return the model of a plan with initial weights, for pictures of a shape."""
    known = classes if plan.conditional else 0
    own = {**plan.generator_option, "classes": known, "latent_size": plan.latent_size}
    generator = GENERATORS.build(plan.generator, shape, **own)
    discriminator = DISCRIMINATORS.build(
        plan.discriminator, shape, **plan.discriminator_option, classes=known
    )
    generator.name, discriminator.name = GENERATOR, DISCRIMINATOR
    latent = keras.Input((plan.latent_size,), name="latent")
    label = keras.Input((), dtype="int32", name="label") if known else None
    inputs = latent if label is None else [latent, label]
    pictures = generator(inputs)
    outputs = [pictures, discriminator(pictures if label is None else [pictures, label])]
    if plan.generator_average:
        average = keras.models.clone_model(generator)
        average.name, average.trainable = AVERAGE, False
        average.set_weights(generator.get_weights())
        outputs.append(average(inputs))
    return Gan(inputs, outputs, name="gan")


@keras.saving.register_keras_serializable("ddl")
class Gan(keras.Model):
    """A GAN. `prepare` says how it is trained."""

    def prepare(self, plan: Plan, optimizer: PairedOptimizer, draws: Draws) -> None:
        """Take what a step needs, and create the sums of losses and norms."""
        object.__setattr__(self, "_plan", plan)
        object.__setattr__(self, "_draws", draws)
        object.__setattr__(self, "_pair", optimizer)
        object.__setattr__(
            self, "_means", {name: keras.metrics.Mean(name=name) for name in (*LOSSES, *NORMS)}
        )

    @property
    def metrics(self) -> list[Any]:
        """The sums of losses and norms."""
        return [*super().metrics, *getattr(self, "_means", {}).values()]

    def train_step(self, data: Any) -> dict[str, Any]:
        """Update the discriminator, and every so many steps the generator."""
        real = tf.cast(data[0], self.compute_dtype)
        label = tf.cast(data[1], tf.int32) if self._plan.conditional else None
        step, every = self._pair._iterations.value, self._plan.critic_steps
        loss = self._update_discriminator(real, label, step)
        count = tf.shape(real)[0]
        self._loss_tracker.update_state(loss, sample_weight=count)
        if every == 1:
            self._update_generator(label, step, count)
        else:
            due = tf.equal(step % every, every - 1)
            tf.cond(due, lambda: self._update_generator(label, step, count), lambda: tf.constant(0))
        self._pair._iterations.assign_add(1)
        return {"loss": loss}

    def _update_discriminator(self, real: Any, label: Any, step: Any) -> Any:
        plan, network = self._plan, self.get_layer(DISCRIMINATOR)
        count = tf.shape(real)[0]
        latent = self._latent(step, OF_DISCRIMINATOR, count, real.dtype)
        made = tf.stop_gradient(self._made(latent, label))

        def score(pictures: Any) -> Any:
            return network(_with(pictures, label), training=True)

        with tf.GradientTape() as tape:
            each = losses.of_discriminator(plan.gan_loss, score(real), score(made))
            if plan.gan_loss == "wgan_gp":
                parts = self._draws.uniform(step, BETWEEN, count, real.dtype)
                penalty = losses.gradient_penalty(score, real, made, parts)
                each += tf.cast(plan.gradient_penalty, each.dtype) * penalty
            loss = tf.reduce_mean(each)
        self._apply("discriminator", network, tape.gradient(loss, network.trainable_weights))
        if plan.gan_loss == "wgan":
            for weight in network.trainable_weights:
                weight.assign(tf.clip_by_value(weight.value, -plan.clip, plan.clip))
        self._note("discriminator", loss, count)
        return loss

    def _update_generator(self, label: Any, step: Any, count: Any) -> Any:
        plan, network = self._plan, self.get_layer(GENERATOR)
        judge = self.get_layer(DISCRIMINATOR)
        latent = self._latent(step, OF_GENERATOR, count, self.compute_dtype)
        with tf.GradientTape() as tape:
            made = self._made(latent, label)
            each = losses.of_generator(plan.gan_loss, judge(_with(made, label), training=True))
            loss = tf.reduce_mean(each)
        self._apply("generator", network, tape.gradient(loss, network.trainable_weights))
        self._note("generator", loss, count)
        if plan.generator_average:
            self._average()
        return tf.constant(0)

    def _average(self) -> None:
        """Move the average: at first faster, so that it forgets the initial weights."""
        done = tf.cast(self._pair.generator.iterations.value, tf.float32)
        decay = tf.minimum(self._plan.generator_average, (1 + done) / (10 + done))
        pairs = zip(self.get_layer(AVERAGE).weights, self.get_layer(GENERATOR).weights, strict=True)
        for average, weight in pairs:
            own = tf.cast(decay, average.dtype)
            average.assign(own * average.value + (1 - own) * tf.cast(weight.value, average.dtype))

    def _apply(self, name: str, network: keras.Model, gradients: Any) -> None:
        getattr(self._pair, name).apply(gradients, network.trainable_weights)

    def _note(self, name: str, loss: Any, count: Any) -> None:
        self._means[f"{name}_loss"].update_state(loss, sample_weight=count)
        norm = gradient_norm_of(getattr(self._pair, name))
        if norm is not None:
            self._means[f"{name}_gradient_norm"].update_state(norm.value)

    def _latent(self, step: Any, purpose: int, count: Any, dtype: Any) -> Any:
        return self._draws.normal(step, purpose, count, self._plan.latent_size, dtype)

    def _made(self, latent: Any, label: Any) -> Any:
        return self.get_layer(GENERATOR)(_with(latent, label), training=True)


def _with(values: Any, label: Any) -> Any:
    return values if label is None else [values, label]
