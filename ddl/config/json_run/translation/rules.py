"""From the sections `loss` and `optimizer` to fields of a plan."""

from __future__ import annotations

from typing import Any

from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.keys.optimizer import OPTIMIZER
from ddl.config.json_run.translation.draft import Draft
from ddl.training.objectives.losses import NONE

LOSSES = {
    "NLL": "nll",
    "BCE": "binary_crossentropy",
    "MSE": "mse",
    "Dice": "dice",
    "Jaccard": "jaccard",
    "Focal": "focal",
    "Lovasz": "lovasz",
    "Wasserstein": "wasserstein",
    "Burgers_PDE": "burgers",
    "Poisson2D_PDE": "poisson_2d",
    "Poisson3D_PDE": "poisson_3d",
}
"""Name in a config -> name in `--loss`."""

OPTIMIZERS = {
    "SGD": "torch_sgd",
    "Adagrad": "torch_adagrad",
    "Adam": "torch_adam",
    "AdamW": "torch_adamw",
    "RMSprop": "torch_rmsprop",
    "LARS": "lars",
    "LAMB": "torch_lamb",
    "Hessian": "hessian",
}
"""Name in a config -> name in `--optimizer`."""

_OPTIONS = {
    **{name: name for name in ("momentum", "weight_decay", "dampening", "nesterov", "lr_decay")},
    **{name: name for name in ("amsgrad", "centered", "eta")},
    **{name: name for name in ("max_iterations", "max_func_eval")},
    **{name: name for name in ("absolute_tolerance", "relative_tolerance")},
    "beta1": "beta_1",
    "beta2": "beta_2",
    "eps": "epsilon",
    "alpha": "rho",
}
"""Key of `optimizer` -> option of `--optimizer-option`."""

SMOOTH = 1e-7
"""Of Dice and Jaccard there."""


def translate_loss(settings: Settings, draft: Draft) -> None:
    """Add loss and metrics to a draft."""
    function = settings["loss.function"]
    targets = draft.fields["targets"]
    draft.fields["metric"] = {"label": ("top_1",), "mask": ("dice",)}.get(targets, ())
    if targets == "mask":
        draft.fields["metric_option"] = {"dice": {"background": True}}
    if settings.only_outputs:
        draft.fields["loss"] = NONE
        if settings.has("loss"):
            text = "without effect: without data.test_target_path there is nothing to compare with."
            draft.notes.append(settings.problem("loss", text))
        return
    if function is None:  # an evaluation without one
        draft.fields["loss"] = {"values": "mse"}.get(targets, "nll")
        return
    draft.fields["loss"] = LOSSES[function]
    draft.give_option(
        "loss_option",
        source=None if function in ("MSE", "Wasserstein") else settings["loss.source"],
        weight=settings["loss.weight"],
        ignore_index=settings["loss.ignore_index"],
        smooth=SMOOTH if function in ("Dice", "Jaccard") else None,
    )
    if function in ("MSE", "Wasserstein") and settings.has("loss.source"):
        draft.notes.append(
            settings.problem("loss.source", f"without effect: {function} takes values as they are.")
        )
    if function == "Burgers_PDE":
        names = ("diffusion_coeff", "boundary_factor")
        draft.give_option("loss_option", **{name: settings[f"loss.{name}"] for name in names})


def translate_optimizer(settings: Settings, draft: Draft) -> None:
    """Add the optimizer to a draft: all options that the rule has, also those at their defaults there."""
    kind = settings["optimizer.type"]
    draft.fields["optimizer"] = OPTIMIZERS[kind]
    options: dict[str, Any] = {
        _OPTIONS[key.name]: settings[f"optimizer.{key.name}"]
        for key in OPTIMIZER.keys
        if key.name in _OPTIONS and kind in key.only
    }
    draft.fields["optimizer_option"] = options
    if kind != "Hessian":
        draft.fields["learning_rate"] = settings["optimizer.learning_rate"]
        _translate_schedule(settings, draft)


def _translate_schedule(settings: Settings, draft: Draft) -> None:
    path = "optimizer.lr_scheduler"
    if not settings.has(path):
        return
    kind, factor = settings[f"{path}.type"], settings[f"{path}.gamma"]
    if kind == "Warmup":
        start = settings[f"{path}.start_factor"] * settings["optimizer.learning_rate"]
        draft.fields["warmup_epochs"] = float(settings[f"{path}.num_epochs"])
        draft.fields["warmup_from"], draft.fields["warmup_shape"] = start, "staircase"
    elif factor == 1:
        draft.notes.append(
            settings.problem(
                f"{path}.gamma", "without effect: 1 leaves the learning rate as it is."
            )
        )
    elif kind == "Exponential":
        draft.fields["schedule"] = "exponential"
        draft.give_option("schedule_option", factor=factor, staircase=True)
    else:
        draft.fields["schedule"] = "step"
        draft.give_option("schedule_option", factor=factor)
        if kind == "Step":
            draft.give_option("schedule_option", every=float(settings[f"{path}.step_size"]))
        else:
            milestones = tuple(map(float, settings[f"{path}.milestones"]))
            draft.give_option("schedule_option", milestones=milestones)
