"""Flags of PyDTNN for the optimizer and its learning rate."""

from __future__ import annotations

from typing import Any

from ddl.config.pydtnn.draft import Draft
from ddl.config.pydtnn.flag import NEW, ONE, SEED, THREE, Flag
from ddl.config.pydtnn.settings import Settings

_SPARSE = "all gradients, reduced by --compression fp16 or bf16; sparse reduction is not here"

FLAGS = (
    Flag("optimizer", "text", "sgd", to="--optimizer", default_2020="SGDMomentum"),
    Flag("learning_rate", "float", 0.01, to="--learning-rate"),
    Flag("learning_rate_scaling", "bool", True, NEW, to="--learning-rate-scaling", default_3=None),
    Flag("momentum", "float", 0.9, to="--optimizer-option momentum=", three="optimizer_momentum"),
    Flag(
        "nesterov",
        "bool",
        False,
        NEW,
        to="--optimizer-option nesterov=",
        three="optimizer_nesterov",
    ),
    Flag(
        "decay", "float", 0.0, NEW, to="--optimizer-option weight_decay=", three="optimizer_decay"
    ),
    Flag(
        "optimizer_decoupled_decay",
        "bool",
        False,
        (THREE,),
        to="--optimizer-option weight_decay=",
    ),
    Flag("decay_rate", "float", 0.99, (SEED,), to="--optimizer-option rho="),
    Flag(
        "rho",
        "float",
        0.99,
        NEW,
        to="--optimizer-option rho=",
        three="optimizer_rho",
        default_3=0.9,
    ),
    Flag("beta1", "float", 0.99, NEW, to="--optimizer-option beta_1=", three="optimizer_beta1"),
    Flag("beta2", "float", 0.999, NEW, to="--optimizer-option beta_2=", three="optimizer_beta2"),
    Flag(
        "epsilon",
        "float",
        1e-8,
        to="--optimizer-option epsilon=",
        three="optimizer_epsilon",
        default_3=1e-7,
    ),
    *(
        Flag(name, "float", None, NEW, refused=_SPARSE, harmless=(None,), three=f"optimizer_{name}")
        for name in ("tau", "tau_prime", "density")
    ),
    Flag("oktopk_min_k", "int", 10, (THREE,), refused=_SPARSE, harmless=(10,)),
    Flag("oktopk_partition_method", "text", "", (THREE,), refused=_SPARSE, harmless=("", "sparse")),
    Flag("oktopk_reduce_method", "text", "", (THREE,), refused=_SPARSE, harmless=("",)),
)

_NAMES = {
    SEED: ("SGD", "SGDMomentum", "RMSProp", "Adam"),
    ONE: ("sgd", "rmsprop", "adam", "nadam"),
    THREE: ("sgd", "rmsprop", "adam", "nadam"),
}
_BETA_1_OF_2020 = {"beta_1": 0.99, "beta_2": 0.999}
"""There it has no flags."""


def translate_optimizer(settings: Settings, draft: Draft) -> None:
    """Translate the optimizer, its options, and how its rate grows with the ranks."""
    names = {name.lower(): name for name in _NAMES[settings.generation]}
    name = settings["optimizer"].lower()
    if name not in names:
        remedy = f"; {_SPARSE}" if name == "oktopk" else ""
        raise settings.refusal("optimizer", f"one of {', '.join(names.values())}{remedy}")
    options = _options(name, settings) | _decay(name, settings)
    draft.fields["optimizer"] = "sgd" if name == "sgdmomentum" else name
    draft.fields["optimizer_option"] = options
    draft.fields["learning_rate"] = settings["learning_rate"]
    draft.fields["learning_rate_scaling"] = _scaling(name, settings)
    draft.fields["warmup_epochs"] = 0.0


def _options(name: str, settings: Settings) -> dict[str, Any]:
    is_first = settings.generation == SEED
    if name == "rmsprop":
        rho = settings["decay_rate" if is_first else "rho"]
        return {"rho": rho, "epsilon": settings["epsilon"]}
    if name in ("adam", "nadam"):
        betas = _BETA_1_OF_2020
        if not is_first:
            betas = {"beta_1": settings["beta1"], "beta_2": settings["beta2"]}
        return betas | {"epsilon": settings["epsilon"]}
    if name == "sgd" and is_first:
        return {}
    momentum = settings["momentum"]
    options: dict[str, Any] = {"momentum": momentum} if momentum else {}
    if settings["nesterov"] and momentum:
        options["nesterov"] = True
    return options


def _decay(name: str, settings: Settings) -> dict[str, Any]:
    """Return the decay of weights: each step takes decay times rate of a weight away.

    3.x adds the decay to the gradient, except for RMSProp and on request for Adam. For plain SGD that is the same.
    """
    decay = settings["decay"]
    if not decay:
        return {}
    in_gradient = settings.generation == THREE and name != "rmsprop"
    if (
        in_gradient
        and not settings["optimizer_decoupled_decay"]
        and (name != "sgd" or settings["momentum"])
    ):
        raise settings.refusal(
            "decay",
            "--optimizer-decoupled-decay as well: a decay in the gradient is none of Keras's optimizers' options",
        )
    return {"weight_decay": decay}


def _scaling(name: str, settings: Settings) -> str:
    """Return how the rate grows with the ranks, as each generation documents it."""
    asked = settings["learning_rate_scaling"] if settings.generation != SEED else False
    if settings.generation == ONE:
        asked = asked and name == "sgd"
    if asked is None:
        asked = not settings["global_batch_size"]
    return "linear" if asked else "none"
