"""What PyDTNN's launcher prints before and after a training run, in its form."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ddl.config.pydtnn.settings import Settings, text_of
from ddl.distributed.job.launcher import placement
from ddl.training.train_command import Frame

if TYPE_CHECKING:
    import keras

    from ddl.training.callbacks import Callbacks
    from ddl.training.run import Run
    from ddl.training.run_setup import Setup

logger = logging.getLogger("ddl")


class Screen(Frame):
    """Layers and settings before a training run, time and throughput after it, and the results on test data."""

    def __init__(self, introduction: list[str], settings: Settings) -> None:
        self._introduction, self._settings = introduction, settings
        self._validation = 0  # samples

    def before(self, setup: Setup) -> Callbacks:
        """Print layers and settings; the returned callback prints the results on test data before training."""
        held_out = setup.data.validation
        self._validation = 0 if held_out is None else len(held_out)
        if placement().rank:
            return ()
        _say(self._introduction, layer_lines(setup.model), settings_lines(self._settings))
        import keras

        def begin(logs: Any) -> None:
            _say(lines_of_test(setup.run.test_before, "test_before_"), ["**** Training..."])

        return [keras.callbacks.LambdaCallback(on_train_begin=begin)]

    def after(self, setup: Setup) -> None:
        """Print the time, the throughput, and the results on test data."""
        run = setup.run
        if placement().rank == 0 and run.history:
            _say(end_lines(run, self._validation), lines_of_test(run.history[-1], "test_"))


def _say(*parts: list[str]) -> None:
    for lines in parts:
        for line in lines:
            logger.info("%s", line)


def layer_lines(model: keras.Model) -> list[str]:
    """Return the table of layers in the launcher's form, and how many parameters they have."""
    from ddl.models.layer_table import launcher_table

    return [
        *launcher_table(model).splitlines(),
        f"**** {model.count_params()} parameters in all",
    ]


def settings_lines(settings: Settings) -> list[str]:
    """Return all flags of the command's generation with their values, below a title."""
    values = {
        flag.spelled(settings.generation)[2:].replace("-", "_"): settings[name]
        for name, flag in settings.flags.items()
        if settings.has(name)
    }
    width = max(map(len, values))
    lines = [f"  {name:<{width}} : {text_of(value)}" for name, value in values.items()]
    return ["**** Parameters:", *lines]


def lines_of_test(results: Mapping[str, float], prefix: str) -> list[str]:
    """Return accuracy in per cent and cross-entropy on test data, as the launcher writes them; nothing without any."""
    shown = []
    if f"{prefix}top_1" in results:
        shown.append(f"test_acc: {results[f'{prefix}top_1']:.2%}")
    if f"{prefix}loss" in results:
        shown.append(f"test_cro: {results[f'{prefix}loss']:.7f}")
    return ["**** Evaluating on test dataset...", ", ".join(shown)] if shown else []


def end_lines(run: Run, validation: int) -> list[str]:
    """Return the time of all epochs and the throughput, with its definition."""
    epochs = len(run.history)
    seconds = sum(epoch["seconds"] for epoch in run.history)
    training = run.order.samples_per_epoch
    rate = (training + validation) * epochs / seconds
    return [
        "**** Done",
        f"Time: {seconds:.2f} s",
        f"Throughput: {rate:.2f} samples/s",
        f"  ({training} training and {validation} validation samples, times {epochs} epochs, by that time)",
    ]
