"""One optimizer for a GAN: it holds that of the generator and that of the discriminator, and shows both their slots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


class PairedOptimizer(keras.optimizers.Optimizer):
    """Holds two optimizers. Its own step counts the steps of the run, which the learning rate is a function of."""

    def __init__(self, learning_rate: Any, **_: Any) -> None:
        """Use this schedule. The optimizers come with `hold`, because theirs is a function of this step."""
        super().__init__(learning_rate=0.0, name="gan")
        self._course = learning_rate
        self._parts: tuple[Any, ...] = ()
        self._trained: tuple[Sequence[keras.Variable], ...] = ()

    def hold(self, **parts: tuple[Any, Sequence[keras.Variable]]) -> None:
        """Hold optimizers, by name, each with the weights that it updates."""
        for name, (optimizer, _) in parts.items():
            object.__setattr__(self, name, optimizer)
        self._parts = tuple(optimizer for optimizer, _ in parts.values())
        self._trained = tuple(weights for _, weights in parts.values())

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Build both. The argument, all weights of the model, is not needed."""
        if self.built:
            return
        for optimizer, trained in zip(self._parts, self._trained, strict=True):
            optimizer.build(trained)
        super().build([])

    @property
    def variables(self) -> list[keras.Variable]:
        """The step of the run, and the steps and slots of both."""
        own = list(super().variables)
        return own + [variable for part in self._parts for variable in part.variables]

    def rate(self) -> Any:
        """Return the learning rate of the run's present step."""
        return self._course(self._iterations)

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the run's present step."""
        return self.rate()

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Refuse it: each network has its own optimizer."""
        raise NotImplementedError("A GAN updates its networks one by one.")

    def finalize_variable_values(self, var_list: Any) -> None:
        """Do nothing: the averaged generator is a network of its own."""

    def get_config(self) -> dict[str, Any]:
        """Refuse it: the optimizer is made from the plan."""
        raise NotImplementedError("It is made from the plan.")
