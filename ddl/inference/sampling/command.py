"""The part of scripts/predict.py for generators. Everything is checked before TensorFlow loads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import ddl.distributed as dist
from ddl.data.preprocessing import GENERATOR
from ddl.distributed.job.launcher import placement
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.flags import Parser, given_flags
from ddl.inference.output_folder import check_folder
from ddl.inference.sampling.sampling import ONLY_SAMPLES, Drawing, Sampling
from ddl.inference.trained_model import TrainedModel, find_model
from ddl.plain_text import escaped
from ddl.training.train_command import complain_together, naming_files


class PredictParser(Parser):
    """A parser whose second argument, the pictures to predict, is left out with --samples."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the values of the flags.

        argparse gives two words to the first and the last argument, where the second one may be missing.
        """
        action = next(one for one in self._actions if one.dest == "input")
        action.nargs = "?"
        values = super().parse_args(args, namespace)
        if values.samples is None and values.input is None:
            self.error("Received: MODEL and one path. Expected: MODEL INPUT OUTPUT.")
        return values


def split_drawing(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the flags of a prediction and those of samples, only as far as they were given."""
    names = {field.name for field in dataclasses.fields(Drawing)}
    given = given_flags(arguments)
    return (
        {name: value for name, value in given.items() if name not in names},
        {name: value for name, value in given.items() if name in names},
    )


def check_no_drawing(drawing: Mapping[str, Any]) -> None:
    """Refuse flags of samples for a prediction of pictures."""
    for name in ONLY_SAMPLES:
        if name in drawing:
            raise ValueError(
                f"Received: {name} without samples. Expected: samples=N with it, for a trained generator."
            )


def check_sampling(
    prediction: Mapping[str, Any], drawing: Mapping[str, Any]
) -> tuple[Sampling, TrainedModel]:
    """Return what is asked for and the generator's file. No TensorFlow here.

    Raises:
        ValueError: one line that says what is wrong and what to do.
    """
    _refuse(prediction, ("model", "output", "checkpoint"))
    sampling = Sampling(**prediction, **drawing)
    model = find_model(sampling.model, sampling.checkpoint)
    check_generator(model)
    if placement().rank == 0:
        check_folder(sampling.output, sampling.facts() | {"model": model.digest()})
    return sampling, model


def _refuse(given: Mapping[str, Any], known: Sequence[str]) -> None:
    for name, value in given.items():
        if name not in known:
            raise ValueError(
                f"Received: {name}={value} with samples. Expected: only one of them; a generator takes no pictures."
            )


def check_generator(model: TrainedModel) -> None:
    """Refuse a model that makes no pictures out of latent vectors."""
    if model.preprocessing.target != GENERATOR:
        raise ValueError(
            f"Received: samples for {model.file}, which predicts a {model.preprocessing.target}. Expected: the run "
            "directory of a GAN; or the pictures to predict, without samples."
        )


def check_no_generator(model: TrainedModel) -> None:
    """Refuse to predict pictures with a generator."""
    if model.preprocessing.target == GENERATOR:
        raise ValueError(
            f"Received: {model.file}, a generator, which takes no pictures. Expected: samples=16 or so, and no INPUT."
        )


def sample_from_flags(
    parser: Parser, prediction: Mapping[str, Any], drawing: Mapping[str, Any]
) -> int:
    """Write samples of a generator. Return the exit status: 0, or 2 for bad input."""
    try:
        with naming_files():
            sampling, model = check_sampling(prediction, drawing)
        dist.init(stall_timeout_s=0)
    except ValueError as error:
        return parser.complain(error)
    with loading_tensorflow():
        from ddl.inference.sampling.generate import generate_samples
    try:
        written = generate_samples(sampling, model)
    except ValueError as error:
        return complain_together(parser, error)
    if dist.is_root():
        print(escaped(f"{sampling.output}: {written} written"))
    return 0
