"""Generators and discriminators from network files, as `--model network` reads them."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from ddl.models.network.build import build_network
from ddl.models.network.file import summarize


def generator(
    shape: Sequence[int],
    *,
    classes: int = 0,
    latent_size: int = 64,
    file: str | None = None,
    layers: str | None = None,
) -> keras.Model:
    """Return the network of a file, from latent vectors to pictures of 0..1.

    Args:
        shape: height, width and channels of a picture, which its output must have.
        classes: number of classes it knows; a file's network knows none.
        latent_size: length of a latent vector, which its input must have.
        file: network file.
        layers: the network itself as JSON text, in place of `file`.
    """
    _refuse_classes(classes, "generator")
    return _built("generator", (latent_size,), tuple(shape), "sigmoid", file, layers)


def discriminator(
    shape: Sequence[int], *, classes: int = 0, file: str | None = None, layers: str | None = None
) -> keras.Model:
    """Return the network of a file, from pictures of 0..1 to a score each.

    Args:
        shape: height, width and channels of a picture, which its input must have.
        classes: number of classes it knows; a file's network knows none.
        file: network file.
        layers: the network itself as JSON text, in place of `file`.
    """
    _refuse_classes(classes, "discriminator")
    return _built("discriminator", tuple(shape), (1,), "linear", file, layers)


def _built(
    role: str,
    taken: tuple[int, ...],
    given: tuple[int, ...],
    end: str,
    file: str | None,
    layers: str | None,
) -> keras.Model:
    """Return a network that takes and gives these shapes and ends in this activation."""
    told = summarize({"file": file, "layers": layers, "batch_norm_affine": "keras"})
    found = (tuple(told.input_shape), tuple(told.output_shape), told.last_activation)
    if found != (taken, given, end):
        raise ValueError(
            f"Received: {role} {file or 'network'} from {_by(found[0])} to {_by(found[1])} ({found[2]}). Expected: "
            f"from {_by(taken)} to {_by(given)} ({end})."
        )
    model = build_network(None, file=file, layers=layers)
    return keras.Model(model.inputs[0], model.outputs[0], name=role)


def _refuse_classes(classes: int, role: str) -> None:
    if classes:
        raise ValueError(
            f"Received: conditional with a {role} of a network file, which has one input. Expected: no conditional; or "
            "a built-in network."
        )


def _by(shape: Sequence[int | None]) -> str:
    return "x".join("?" if side is None else str(side) for side in shape)
