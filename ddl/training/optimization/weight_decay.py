"""Which weights have no weight decay. No Keras here.

Decay pulls weights towards zero, which regularizes kernels. Biases, and the scale and shift of normalization layers,
are commonly left alone (He et al. 2018, "Bag of Tricks").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Protocol

from ddl.training.optimization.optimizers import OPTIMIZERS

_GROUPS = {"bias": ("bias",), "norm": ("gamma", "beta", "scale")}
"""Group -> last parts of the names of its weights, as Keras's layers call them."""
_DECAYS = ("weight_decay", "adam_weight_decay")


class Named(Protocol):
    """A weight."""

    path: str  # such as "stem_norm/gamma"


def has_weight_decay(optimizer: str, options: Mapping[str, Any]) -> bool:
    """Return whether the optimizer decays weights with these options, which `OPTIMIZERS` has checked."""
    known = OPTIMIZERS.options(optimizer)
    return any(options.get(name, known[name].default) for name in _DECAYS if name in known)


def without_decay(weights: Sequence[Named], patterns: Sequence[str]) -> list[Any]:
    """Return the weights that `no_decay_on` means.

    Args:
        weights: those of a model that are trained.
        patterns: "bias", "norm", or patterns of paths such as "head/*".

    Raises:
        ValueError: a pattern matches no weight.
    """
    chosen: dict[int, Named] = {}
    for pattern in patterns:
        found = [weight for weight in weights if _matches(weight.path, pattern)]
        if not found and pattern not in _GROUPS:
            shown = ", ".join(weight.path for weight in weights[:3])
            raise ValueError(
                f"Received: no_decay_on={pattern!r}, which no trained weight matches. Expected: bias, norm, or a "
                f"pattern of weight names such as {shown}."
            )
        chosen |= {id(weight): weight for weight in found}
    return list(chosen.values())


def _matches(path: str, pattern: str) -> bool:
    if pattern in _GROUPS:
        return path.rpartition("/")[2] in _GROUPS[pattern]
    # The paths of a model that was built as a `Sequential` begin with its name.
    return fnmatchcase(path, pattern) or fnmatchcase(path, f"*/{pattern}")
