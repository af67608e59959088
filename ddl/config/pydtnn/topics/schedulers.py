"""Flags of PyDTNN's schedulers, which act at the end of an epoch: as functions of the step and of the history."""

from __future__ import annotations

from typing import Any

from ddl.config.pydtnn.draft import Draft
from ddl.config.pydtnn.flag import NEW, THREE, Flag
from ddl.config.pydtnn.settings import Settings
from ddl.config.pydtnn.topics.objective import monitored

_LOSS, _LOSS_3 = "val_categorical_cross_entropy", "val_negative_likelihood"
_STANDARD = ("early_stopping", "reduce_lr_on_plateau", "model_checkpoint")
_PLATEAU = "--schedule plateau"
_STEPS = "--schedule step"
_BEST = "--keep-best, --monitor"

FLAGS = (
    Flag("lr_schedulers", "names", _STANDARD, NEW, to="--schedule", three="schedulers"),
    Flag("warm_up_epochs", "int", 5, NEW, to="--warmup-epochs"),
    Flag("early_stopping_metric", "text", _LOSS, NEW, to="--monitor", default_3=_LOSS_3),
    Flag("early_stopping_patience", "int", 10, NEW, to="--early-stopping-patience"),
    Flag("early_stopping_minimize", "bool", True, (THREE,), to="--monitor-mode"),
    Flag(
        "reduce_lr_on_plateau_metric",
        "text",
        _LOSS,
        NEW,
        to=f"{_PLATEAU} monitor=",
        default_3=_LOSS_3,
    ),
    Flag("reduce_lr_on_plateau_factor", "float", 0.1, NEW, to=f"{_PLATEAU} factor="),
    Flag("reduce_lr_on_plateau_patience", "int", 5, NEW, to=f"{_PLATEAU} patience="),
    Flag("reduce_lr_on_plateau_min_lr", "float", 0.0, NEW, to=f"{_PLATEAU} floor="),
    Flag("reduce_lr_on_plateau_minimize", "bool", False, (THREE,), to=f"{_PLATEAU} monitor_mode="),
    Flag("reduce_lr_every_nepochs_factor", "float", 0.1, NEW, to=f"{_STEPS} factor="),
    Flag("reduce_lr_every_nepochs_nepochs", "int", 5, NEW, to=f"{_STEPS} every="),
    Flag("reduce_lr_every_nepochs_min_lr", "float", 0.0, NEW, to=f"{_STEPS} floor="),
    Flag(
        "stop_at_loss_metric",
        "text",
        "val_accuracy",
        NEW,
        to="--target",
        default_3="val_categorical_accuracy",
    ),
    Flag("stop_at_loss_threshold", "float", 0.0, NEW, to="--target"),
    Flag("stop_at_loss_minimize", "bool", True, (THREE,), to="--target"),
    Flag("model_checkpoint_metric", "text", _LOSS, NEW, to=_BEST, default_3=_LOSS_3),
    Flag("model_checkpoint_save_freq", "int", 2, NEW, to="--checkpoint-every-epochs"),
    Flag("model_checkpoint_minimize", "bool", False, (THREE,), to=_BEST),
)

_KNOWN = (*_STANDARD, "warm_up", "reduce_lr_every_nepochs", "stop_at_loss")


def translate_schedulers(settings: Settings, draft: Draft) -> None:
    """Translate the schedulers that the command names. 2020 has none."""
    if not settings.has("lr_schedulers"):
        return
    named = settings["lr_schedulers"]
    for name in named:
        if name not in _KNOWN:
            raise settings.refusal("lr_schedulers", f"some of {', '.join(_KNOWN)}, with commas")
    if "warm_up" in named:
        _warm_up(settings, draft)
    if "reduce_lr_every_nepochs" in named:
        _every_epochs(settings, draft)
    watched = set()
    if "early_stopping" in named:
        watched.add(_monitor("early_stopping", settings))
        draft.fields["early_stopping_patience"] = settings["early_stopping_patience"]
        draft.fields["restore_best"] = True
    if "model_checkpoint" in named:
        watched.add(_monitor("model_checkpoint", settings))
        _checkpoints(settings, draft)
    if len(watched) > 1:
        raise settings.refusal(
            "model_checkpoint_metric",
            "the metric of early stopping: one quantity says which epoch is best",
        )
    if watched:
        draft.fields["monitor"] = watched.pop()
    if "reduce_lr_on_plateau" in named:
        _plateau(settings, draft, draft.fields.get("monitor", "val_loss"))
    if "stop_at_loss" in named:
        _stop(settings, draft)


def _checkpoints(settings: Settings, draft: Draft) -> None:
    """Write checkpoints as often as asked for; each epoch, where early stopping takes the best of them."""
    every = settings["model_checkpoint_save_freq"]
    if draft.fields.get("restore_best") and every > 1:
        if settings.is_given("model_checkpoint_save_freq"):
            draft.notes.append(
                "Each epoch has a checkpoint, so that the best weights can come back."
            )
        every = 1
    draft.fields["checkpoint_every_epochs"] = every


def _monitor(scheduler: str, settings: Settings) -> str:
    """Return what a scheduler watches; refuse one that watches the wrong direction.

    1.x takes higher accuracies and lower losses for better, as is done here. 3.x has a flag for it, whose default is
    wrong for two schedulers: only a given flag counts.
    """
    name = monitored(f"{scheduler}_metric", settings)
    flag = f"{scheduler}_minimize"
    if settings.has(flag) and settings.is_given(flag) and settings[flag] != name.endswith("loss"):
        better = "lower" if name.endswith("loss") else "higher"
        raise settings.refusal(flag, f"{better} values of {name} for better; leave it out")
    return name


def _warm_up(settings: Settings, draft: Draft) -> None:
    """Raise the rate from its N-th part, as scaled, to the whole."""
    fields, ranks = draft.fields, settings.ranks
    full = fields["learning_rate"] * (ranks if fields["learning_rate_scaling"] == "linear" else 1)
    fields["warmup_epochs"] = float(settings["warm_up_epochs"])
    if ranks > 1 and fields["learning_rate_scaling"] == "none":
        fields["warmup_from"] = full / ranks
    if settings.generation == THREE:
        fields["warmup_shape"] = "staircase"
        draft.notes.append("The warm-up begins with the first epoch; there, with the second.")


def _every_epochs(settings: Settings, draft: Draft) -> None:
    options: dict[str, Any] = {
        "every": float(settings["reduce_lr_every_nepochs_nepochs"]),
        "factor": settings["reduce_lr_every_nepochs_factor"],
    }
    draft.fields["schedule"] = "step"
    draft.fields["schedule_option"] = options | _floor(settings["reduce_lr_every_nepochs_min_lr"])


def _plateau(settings: Settings, draft: Draft, monitor: str) -> None:
    options: dict[str, Any] = {
        "factor": settings["reduce_lr_on_plateau_factor"],
        "patience": settings["reduce_lr_on_plateau_patience"],
        "min_delta": 0.0,
    }
    options |= _floor(settings["reduce_lr_on_plateau_min_lr"])
    watched = _monitor("reduce_lr_on_plateau", settings)
    if watched != monitor:
        options["monitor"] = watched
    if "schedule" in draft.fields:
        draft.fields["plateau"] = options
    else:
        draft.fields |= {"schedule": "plateau", "schedule_option": options}


def _floor(lowest: float) -> dict[str, Any]:
    """Return options for a reduction that is left out where it would pass the lowest rate."""
    return {"floor": lowest, "floor_rule": "skip"} if lowest else {}


def _stop(settings: Settings, draft: Draft) -> None:
    name, threshold = _monitor("stop_at_loss", settings), settings["stop_at_loss_threshold"]
    if name.endswith("top_1") and threshold > 1:
        draft.notes.append(
            f"Accuracies are fractions here: {threshold:g} per cent are {threshold / 100:g}."
        )
        threshold /= 100
    draft.fields["target"] = f"{name}={threshold:g}"
