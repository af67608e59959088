"""Flags of PyDTNN for the loss and the metrics, and the names of quantities to watch."""

from __future__ import annotations

from ddl.config.pydtnn.draft import Draft
from ddl.config.pydtnn.flag import NEW, SEED, THREE, Flag
from ddl.config.pydtnn.settings import Settings

FLAGS = (
    Flag(
        "loss_func",
        "names",
        ("categorical_cross_entropy",),
        to="--loss",
        default_2020=("categorical_accuracy", "categorical_cross_entropy"),
        default_3=("negative_likelihood",),
    ),
    Flag("loss_eps", "float", 1e-8, (THREE,), idle="probabilities are clipped at 1e-7"),
    Flag("metrics", "names", ("categorical_accuracy",), NEW, to="--metric"),
)

_LOSSES = {
    "categorical_cross_entropy": "categorical_crossentropy",
    "cross_entropy": "categorical_crossentropy",
    "negative_likelihood": "categorical_crossentropy",
    "binary_cross_entropy": "binary_crossentropy",
}
_METRICS = {"categorical_accuracy": "top_1", "accuracy": "top_1"}
_AFTERWARDS = ("precision", "recall", "multiclass_confusion_matrix", "binary_confusion_matrix")


def translate_objective(settings: Settings, draft: Draft) -> None:
    """Translate the loss and the metrics. The list of 2020 names what is printed; its loss is fixed."""
    named = settings["loss_func"]
    losses = [_LOSSES[name] for name in named if name in _LOSSES]
    metrics = [_METRICS[name] for name in named if name in _METRICS]
    strange = [name for name in named if name not in _LOSSES and name not in _METRICS]
    if strange or len(losses) > 1 or (metrics and settings.generation != SEED):
        raise settings.refusal("loss_func", f"one of {', '.join(_LOSSES)}")
    if settings.generation != SEED:
        metrics = [_metric(name, settings) for name in settings["metrics"]]
    draft.fields["loss"] = losses[0] if losses else "categorical_crossentropy"
    draft.fields["metric"] = tuple(dict.fromkeys(metrics)) or ("top_1",)


def _metric(name: str, settings: Settings) -> str:
    if name in _METRICS:
        return _METRICS[name]
    remedy = f"{', '.join(_METRICS)}"
    if name in _AFTERWARDS:
        remedy += "; python scripts/evaluate.py RUN_DIR --metric precision recall confusion_matrix has more"
    raise settings.refusal("metrics", remedy)


def monitored(flag: str, settings: Settings) -> str:
    """Return the quantity that a scheduler watches: the loss or the accuracy of training or validation."""
    name = settings[flag]
    plain = name.removeprefix("val_")
    prefix = "val_" if plain != name else ""
    if plain in _LOSSES or plain == "loss":
        return f"{prefix}loss"
    if plain in _METRICS:
        return f"{prefix}top_1"
    known = [*_LOSSES, *_METRICS]
    raise settings.refusal(flag, f"one of {', '.join(known)}, or one of them behind val_")
