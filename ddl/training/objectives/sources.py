"""What a network's output is for its loss: probabilities, their logarithms, or logits. No TensorFlow here.

The option `source` of a loss says what the network ends in. With "auto" it is read off the network's last activation;
without a network, as in `build_loss`, "auto" means probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddl.options import Option

AUTO = "auto"
SOURCES = (AUTO, "probability", "sigmoid", "softmax", "log_softmax", "logits")
UNKNOWN = "unknown"
"""The ending of a network whose last layer says nothing about its output."""

OPTION = Option(
    "source",
    "str",
    AUTO,
    "what the network ends in: sigmoid, softmax, log_softmax, logits, or probability for what is taken as it is; auto "
    "reads it off the last activation.",
)
_ENDINGS = {"sigmoid": "sigmoid", "hard_sigmoid": "sigmoid", "linear": "logits"}
_ENDINGS |= {name: name for name in ("softmax", "log_softmax", UNKNOWN)}


@dataclass(frozen=True)
class Settled:
    """What a loss takes a network's output for.

    Attributes:
        source: one of `SOURCES` but "auto"; None for a loss without this option.
        activation: one of `ddl.data.preprocessing.ACTIVATIONS`: what makes probabilities of the output.
        note: what users should know, as a sentence; empty for the plain case.
    """

    source: str | None
    activation: str
    note: str = ""


def settle_source(
    loss: str, given: str | None, ending: str, channels: int, layer: str = "layer"
) -> Settled:
    """Return what a loss takes the output of a network for.

    Args:
        loss: name of the loss.
        given: its option `source`; None if it has none.
        ending: the network's last activation, such as "softmax" or "linear", or `UNKNOWN`.
        channels: number of channels of the output.
        layer: the network's last layer, for messages.

    Raises:
        ValueError: the option contradicts the network, or its output is constant.
    """
    if given is None:
        return Settled(None, "exp" if ending == "log_softmax" else "none")
    found = _ENDINGS.get(ending)
    if channels == 1 and "softmax" in (found or ""):
        raise ValueError(
            f"Received: loss {loss} of a network that ends in {ending} over one channel, which is always "
            f"{int(ending == 'softmax')}. Expected: sigmoid, or 2 channels or more."
        )
    if given == AUTO:
        source, note = _found_source(ending, found, layer)
    else:
        _check_given(loss, given, ending, found)
        source, note = given, ""
    if loss == "nll" and source in ("probability", "sigmoid", "softmax"):
        note = note or f"Loss nll takes the logarithm of the network's {ending} output."
    return Settled(source, activation_of(loss, source, channels), note)


def activation_of(loss: str, source: str, channels: int) -> str:
    """Return what makes probabilities of an output of this source."""
    if source == "log_softmax":
        return "exp"
    if source == "logits":
        separate = channels == 1 or loss == "binary_crossentropy"
        return "sigmoid" if separate else "softmax"
    return "none"


def with_source(options: Mapping[str, Any], settled: Settled) -> dict[str, Any]:
    """Return the options of a loss with its settled source, where it has one."""
    return dict(options) if settled.source is None else {**options, "source": settled.source}


def _found_source(ending: str, found: str | None, layer: str) -> tuple[str, str]:
    """Return the source that an ending means, and a note where that is not plain."""
    if found == "logits":
        return (
            "logits",
            f"The network ends in {layer} without activation: the loss takes its output for logits.",
        )
    if found in (None, UNKNOWN):
        what = layer if ending == UNKNOWN else ending
        note = (
            f"The network ends in {what}: the loss takes its output for probabilities. For logits give loss_option "
            "source=logits."
        )
        return "probability", note
    return str(found), ""


def _check_given(loss: str, given: str, ending: str, found: str | None) -> None:
    """Refuse an option `source` that contradicts the network."""
    if found == UNKNOWN or given == found:
        return
    if given == "probability" and found != "log_softmax":
        return
    ends = "no activation" if ending == "linear" else ending
    raise ValueError(
        f"Received: loss_option source={given} of loss {loss}, for a network that ends in {ends}. Expected: "
        f"source={found or 'probability'}, or source=auto, which reads it off the network."
    )
