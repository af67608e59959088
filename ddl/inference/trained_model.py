"""Find a trained model and its preprocessing: in a run, in a checkpoint, or in an export.

No TensorFlow here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.data.preprocessing import GENERATOR, NAME, Preprocessing
from ddl.files import check_regular
from ddl.training.checkpoint.find_trained import (
    FINAL,
    Trained,
    find_trained,
    read_preprocessing,
    stored_preprocessing,
)
from ddl.training.checkpoint.model_copy import read_notes, real_model_path
from ddl.training.checkpoint.saved_model import read_architecture
from ddl.training.data.plan_preprocessing import plan_preprocessing

SAVED_MODEL = ".savedmodel"
OPENVINO = ".xml"


@dataclass(frozen=True)
class TrainedModel:
    """A model file and the preprocessing that turns a picture into its input.

    Attributes:
        file: the model file.
        preprocessing: steps from a picture to the model's input.
        trained: the file with its plan, if the model is part of a run or is a checkpoint.
    """

    file: Path
    preprocessing: Preprocessing
    trained: Trained | None = field(default=None, compare=False)

    def digest(self) -> str:
        """Return the SHA-256 of the model's files."""
        digest = hashlib.sha256()
        for path in model_files(self.file):
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()


def find_model(
    path: Path, checkpoint: str = "final", trained: Trained | None = None
) -> TrainedModel:
    """Find the model of a path.

    Args:
        path: run directory, checkpoint, model of `checkpoint_copies`, or model file with NAME.preprocessing.json in
            the same folder.
        checkpoint: checkpoint of a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch
            number.
        trained: the result of `find_trained` for the same arguments, if the caller already has it.

    Raises:
        ValueError: there is no such model, or its preprocessing is unknown.
    """
    check_regular(path)
    path = real_model_path(path)
    beside = preprocessing_path(path)
    if (path.is_file() or path.suffix == SAVED_MODEL) and beside.is_file():
        _check_whole(path)
        return TrainedModel(path, read_preprocessing(beside))
    if path.is_file() and not _is_of_training(path):
        raise ValueError(
            f"Received: {path} without {beside.name} beside it. Expected: a run directory, a checkpoint, or a model "
            "with that file, which describes its preprocessing."
        )
    trained = trained or find_trained(path, checkpoint)
    return TrainedModel(trained.file, _preprocessing_of(trained), trained)


def check_takes_pictures(model: TrainedModel) -> None:
    """Refuse a generator, which takes latent vectors, where a model gets pictures.

    Raises:
        ValueError: it is one.
    """
    if model.preprocessing.target == GENERATOR:
        raise ValueError(
            f"Received: {model.file}, a generator, which takes no pictures. Expected: another model; plain Keras loads "
            "this one, and predict.py makes samples with it."
        )


def _preprocessing_of(trained: Trained) -> Preprocessing:
    """Read a run's preprocessing, else derive it from the plan."""
    return stored_preprocessing(trained) or plan_preprocessing(
        trained.plan, *read_form(trained.file)
    )


def preprocessing_path(model_file: Path) -> Path:
    """Return the path of an exported model's preprocessing: cells.preprocessing.json for cells.xml."""
    return model_file.with_suffix(f".{NAME}")


def model_files(file: Path) -> list[Path]:
    """Return all files of a model: with OpenVINO also the weights, with a SavedModel all files in its folder."""
    if file.is_dir():
        return sorted(path for path in file.rglob("*") if path.is_file())
    return [file, file.with_suffix(".bin")] if file.suffix == OPENVINO else [file]


def _check_whole(file: Path) -> None:
    """Refuse a model that lacks one of its files."""
    required = file / "saved_model.pb" if file.suffix == SAVED_MODEL else model_files(file)[-1]
    if not required.is_file():
        raise ValueError(
            f"Received: {file} without {required.name}. Expected: both, as scripts/export.py wrote them."
        )


def read_form(file: Path) -> tuple[tuple[int | None, ...], int]:
    """Read the input shape (None for open sides) and the number of classes from a Keras file, without TensorFlow.

    Raises:
        ValueError: the file's architecture does not contain them.
    """
    try:
        network = read_architecture(file)["config"]
        layers = {layer["name"]: layer for layer in network["layers"]}
        inputs = next(layer for layer in layers.values() if layer["class_name"] == "InputLayer")
        _, *shape = inputs["config"]["batch_shape"]
        return tuple(shape), _channels_of(layers, network["output_layers"])
    except (
        *(KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError),
        *(StopIteration, RecursionError),
    ) as error:
        raise ValueError(
            f"Received: {file}, whose architecture does not contain its input and output shapes. Expected: a model "
            "trained with ddl."
        ) from error


def _channels_of(layers: dict[str, Any], outputs: Any) -> int:
    """Return the number of channels of the first output; an activation layer has that of its input."""
    while not isinstance(outputs, str):  # ["mask", 0, 0], a list of such, or a dictionary
        outputs = next(iter(outputs.values())) if isinstance(outputs, dict) else outputs[0]
    layer = layers[outputs]
    for name in ("filters", "units"):
        if name in layer["config"]:
            return int(layer["config"][name])
    return int(layer["inbound_nodes"][0]["args"][0]["config"]["shape"][-1])


def _is_of_training(path: Path) -> bool:
    if path.name == FINAL:
        return (path.parent / "plan.json").is_file()
    with path.open("rb") as file:
        if file.read(15) == b"ddl checkpoint ":
            return True
    return read_notes(path) is not None
