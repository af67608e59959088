"""The names that published weights of YOLOv3 have for its layers -> ours. No TensorFlow.

Ports of Darknet to Keras 2 name layers by numbers: conv2d_1 to conv2d_75, conv2d to conv2d_74, or conv_0 to conv_105
with gaps. In all of them numbers rise in the order in which Darknet's file has the layers. So the order decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from ddl.models.detectors.layouts import DARKNET_BLOCKS
from ddl.models.network.old_weights import Weights

_PREDICTS = "_raw"
_LEVELS = 3


def own_blocks() -> Iterator[str]:
    """Yield the names of the convolutions of `yolov3` with what follows them, in Darknet's order."""
    yield "stem"
    for stage, blocks in enumerate(DARKNET_BLOCKS):
        yield f"stage_{stage}_enter"
        for block in range(blocks):
            yield from (f"stage_{stage}_block_{block}_{part}" for part in ("narrow", "wide"))
    for level in reversed(range(_LEVELS)):
        if level + 1 < _LEVELS:
            yield f"level_{level}_enter"
        yield from (f"level_{level}_{number}" for number in range(5))
        yield f"level_{level}_last"
        yield f"level_{level}{_PREDICTS}"


def under_own_names(stored: Mapping[str, Weights], names: Collection[str]) -> dict[str, Weights]:
    """Return weights by the names of the layers of `yolov3`, if they are a published file of it; else as they are.

    A file with the layers of Darknet-53 alone, without the levels, is taken, too.

    Args:
        stored: weights by the names of layers in the file.
        names: names of the layers of the model that takes them.
    """
    blocks = [*own_blocks()]
    convs = [name if name.endswith(_PREDICTS) else f"{name}_conv" for name in blocks]
    norms = [f"{name}_norm" for name in blocks if not name.endswith(_PREDICTS)]
    body = sum(name.startswith(("stem", "stage")) for name in blocks)
    is_other = not {convs[0], convs[-1]} <= {*names} or any(name in stored for name in names)
    given = _in_order(stored, _is_convolution), _in_order(stored, _is_norm)
    counts = len(given[0]), len(given[1])
    if is_other or counts not in ((len(convs), len(norms)), (body, body)):
        return dict(stored)
    found: dict[str, Weights] = {}
    for own, theirs in ((convs, given[0]), (norms, given[1])):
        found |= {name: stored[their] for name, their in zip(own, theirs, strict=False)}
    return found


def _in_order(stored: Mapping[str, Weights], fits: Callable[[Weights], bool]) -> list[str]:
    """Return the names of the layers of a kind, by the number at their end; none is before all."""
    return sorted((name for name in stored if fits(stored[name])), key=_number)


def _number(name: str) -> int:
    digits = re.search(r"(\d+)$", name.replace("conv2d", "conv", 1))
    return int(digits.group(1)) if digits else -1


def _is_convolution(weights: Weights) -> bool:
    return weights[0][1].ndim == 4


def _is_norm(weights: Weights) -> bool:
    return len(weights) == 4 and all(values.ndim == 1 for _, values in weights)
