"""Refuses configs of GANs whose keys contradict each other, or of which one needs another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.keys.gan import GAN_LOSSES, PARTS
from ddl.config.json_run.place import Problem

_OF_TARGETS = ("data.target_path", "data.test_target_path", "data.target_transforms")
_OF_OUTPUTS = ("data.test_output_path", "data.hdf5_outfile", "data.slicers")


def gan_problems(settings: Settings, _: str | None) -> Iterator[Problem]:
    """Yield what is wrong with the keys of a GAN, or with keys of a GAN in another run."""
    if not settings.is_gan:
        for path in ("loss.gradient_penalty", "loss.clip"):
            if settings.has(path):
                yield settings.problem(
                    path, "has no meaning without generator and discriminator. Expected: a GAN."
                )
        return
    yield from _of_networks(settings)
    yield from _of_loss(settings)
    yield from _of_data(settings)
    if settings["optimizer.type"] == "Hessian":
        text = "Hessian for a GAN, which has two losses. Expected: a type of first order, such as Adam."
        yield settings.problem("optimizer.type", text)


def _of_networks(settings: Settings) -> Iterator[Problem]:
    for name in PARTS:
        if not settings.has(name):
            yield settings.problem(
                name, 'is missing, and needed for a GAN. Expected: such as {"network": "dcgan"}.'
            )
    if settings.has("layers"):
        yield settings.problem(
            "layers", "with generator or discriminator. Expected: these, or layers alone."
        )
    for name in PARTS:
        path = f"{name}.network"
        file = settings[path]
        if not is_file(file):
            continue
        if not Path(file).is_file():
            what = "is no file" if Path(file).exists() else "does not exist"
            yield settings.problem(path, f"{file} {what}. Expected: a network file.")
        elif settings.has(f"{name}.options"):
            text = "with a network file. Expected: options for built-in networks only."
            yield settings.problem(f"{name}.options", text)


def _of_loss(settings: Settings) -> Iterator[Problem]:
    function = settings["loss.function"]
    if function is not None and function not in GAN_LOSSES:
        text = f"{function} for a GAN. Expected: {' or '.join(GAN_LOSSES)}."
        yield settings.problem("loss.function", text)
    if settings.has("loss.source"):
        text = "has no meaning for a GAN, whose discriminator ends in a score."
        yield settings.problem("loss.source", text)
    if settings.has("loss.clip") and settings["loss.gradient_penalty"]:
        text = "with gradient_penalty. Expected: one of them keeps the critic's slope."
        yield settings.problem("loss.clip", text)


def _of_data(settings: Settings) -> Iterator[Problem]:
    if settings.has("data") and not settings.trains:
        text = "is missing, and needed for a GAN. Expected: pictures; predict.py --samples uses a trained one."
        yield settings.problem("data.input_path", text)
    if settings["gan.conditional"] and settings.target_type not in ("labels", "mnist"):
        text = 'true, but targets are no labels. Expected: "input_type": "images", "target_type": "labels".'
        yield settings.problem("gan.conditional", text)
    for path in _OF_TARGETS:
        if settings.has(path):
            yield settings.problem(path, "has no meaning for a GAN, which has no targets.")
    for path in _OF_OUTPUTS:
        if settings.has(path):
            text = "has no meaning for a GAN, whose input is a latent vector."
            yield settings.problem(path, text)
    if settings.input_type == "pde":
        text = "pde for a GAN. Expected: pictures or arrays of them."
        yield settings.problem(
            "data.input_type" if settings.has("data.input_type") else "data.type", text
        )


def is_file(network: str | None) -> bool:
    """Return whether the value of `network` is a path rather than a name."""
    return network is not None and (network.lower().endswith(".json") or "/" in network)
