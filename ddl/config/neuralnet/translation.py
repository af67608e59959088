"""From a prototxt and the flags beside it to the fields of a plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl.config.neuralnet.table import FLAGS
from ddl.config.neuralnet.words import Settings
from ddl.models.network.prototxt import NeuralNet

LOCAL, GROUPCOMM, PARAMETERSERVER = "local", "groupcomm", "parameterserver"
_MODES = {LOCAL: "sync", GROUPCOMM: "sync", PARAMETERSERVER: "async", None: "async"}


@dataclass(frozen=True)
class Translation:
    """What a command stands for.

    Attributes:
        fixed: field of a plan -> (its value, what says so). A flag of `ddl` that says otherwise is refused.
        defaults: field of a plan -> its value where no flag of `ddl` says otherwise.
        options: field such as "data_option" -> options in texts, to which flags of `ddl` add.
        notes: what is otherwise here than there, a line each.
    """

    fixed: Mapping[str, tuple[Any, str]]
    defaults: Mapping[str, Any]
    options: Mapping[str, tuple[str, ...]]
    notes: list[str] = field(default_factory=list)


def translate(settings: Settings, net: NeuralNet) -> Translation:
    """Return what a command stands for. The same words and file give the same on all ranks.

    Raises:
        ValueError: flags contradict each other, or the file.
    """
    conf = settings["conf"]
    mode = _MODES[net.provider]
    size = settings["mini_batch_size"]
    if size not in (None, net.batch_size):
        raise ValueError(
            f"Received: {settings.shown('mini_batch_size')} for {conf} with batch_size {net.batch_size}. Expected: "
            "the same, or no -mini_batch_size."
        )
    fixed: dict[str, tuple[Any, str]] = {
        "data": (settings["input"], "-input"),
        "model": ("network", conf),
        "loss": (net.loss, conf),
        "optimizer": ("sgd", conf),
        "learning_rate": (net.step_size, f"{conf} (step size)"),
        "per_rank_batch_size": (net.batch_size, f"{conf} (batch_size)"),
    }
    if net.provider is not None:
        fixed["parallel"] = (mode, f"{conf} (parameter_provider {net.provider})")
    if net.random_seed is not None:
        fixed["seed"] = (net.random_seed, f"{conf} (random_seed)")
    defaults: dict[str, Any] = {
        "metric": ("top_1",),
        "learning_rate_scaling": "none",
        "warmup_epochs": 0.0,
        "parallel": mode,
    }
    if mode == "async":
        fixed["workers"] = (settings["split"], settings.shown("split"))
    _add_lengths(settings, fixed, defaults)
    _add_staleness(settings, mode, fixed)
    options = {
        "data_option": (
            "format=delimited",
            f"delimiter={settings['delim']}",
            f"shape={','.join(map(str, net.input_shape))}",
        ),
        "model_option": (f"file={conf}",),
        "loss_option": tuple(f"{name}={value}" for name, value in net.loss_option.items()),
    }
    return Translation(fixed, defaults, options, [*net.notes, *_notes(settings, net)])


def _add_lengths(
    settings: Settings, fixed: dict[str, tuple[Any, str]], defaults: dict[str, Any]
) -> None:
    """Add how long the run is: fixed where the command says it, so that a resumed run takes it, too."""
    lengths = [name for name in ("maxIter", "max_num_epochs") if name in settings.given]
    if len({settings[name] for name in lengths}) > 1:
        shown = " and ".join(settings.shown(name) for name in lengths)
        raise ValueError(f"Received: {shown}. Expected: one of them.")
    if lengths:
        fixed["epochs"] = (settings[lengths[0]], settings.shown(lengths[0]))
    else:
        defaults["epochs"] = settings["maxIter"]
    minutes = settings["timeout"] / 60_000
    if "timeout" in settings.given:
        fixed["time_limit_min"] = (minutes, settings.shown("timeout"))
    else:
        defaults["time_limit_min"] = minutes


def _add_staleness(settings: Settings, mode: str, fixed: dict[str, tuple[Any, str]]) -> None:
    bound = settings["staleness_bound"]
    if "staleness_bound" not in settings.given or bound < 0:
        return
    if mode != "async":
        raise ValueError(
            f"Received: {settings.shown('staleness_bound')} for a synchronous run, whose gradients have no age. "
            'Expected: no -staleness_bound, or parameter_provider { type: "parameterserver" }.'
        )
    fixed["max_staleness"] = (bound, settings.shown("staleness_bound"))


def _notes(settings: Settings, net: NeuralNet) -> list[str]:
    """Return lines on what is otherwise here, and on flags without effect."""
    notes = []
    if net.provider is None:
        notes.append("The file names no parameter_provider: as in Cay, training is asynchronous.")
    if settings["staleness_bound"] < 0 and "staleness_bound" in settings.given:
        notes.append("-staleness_bound -1: gradients are at most twice the number of workers old.")
    if "timeout" not in settings.given:
        seconds = FLAGS["timeout"].default // 1000
        notes.append(f"The run stops after {seconds} s with a checkpoint, the default of -timeout.")
    notes += [
        f"Without effect: {settings.shown(name)} ({FLAGS[name].idle.replace('`', '')})."
        for name in settings.given
        if FLAGS[name].idle
    ]
    return notes
