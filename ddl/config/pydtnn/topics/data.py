"""Flags of PyDTNN for the samples: where they come from, and which of them validate and test."""

from __future__ import annotations

from pathlib import Path

from ddl.config.pydtnn.draft import Draft
from ddl.config.pydtnn.flag import OLD, ONE, THREE, Flag
from ddl.config.pydtnn.settings import Settings
from ddl.data.sources import detect_format, splits_of

_TRANSLATES = "pictures and labels; translation of texts is not here"
_SYNTHETIC = "--data synthetic-labels"

FLAGS = (
    Flag("dataset", "text", "mnist", to="--data"),
    Flag("dataset_train_path", "text", "", OLD, to="--data"),
    Flag("dataset_test_path", "text", "", OLD, to="--test-data"),
    Flag("dataset_path", "text", "", (THREE,), to="--data"),
    Flag("test_as_validation", "bool", False, to="--validation-data"),
    Flag("validation_split", "float", 0.2, to="--validation-part", default_2020=0.0),
    Flag("use_synthetic_data", "bool", False, (ONE,), to=_SYNTHETIC),
    Flag("synthetic_train_samples", "int", 1000, (THREE,), to=_SYNTHETIC),
    Flag("synthetic_test_samples", "int", 100, (THREE,), to=_SYNTHETIC),
    Flag("synthetic_input_shape", "numbers", (3, 32, 32), (THREE,), to=_SYNTHETIC),
    Flag("synthetic_output_shape", "numbers", (10,), (THREE,), to=_SYNTHETIC),
    Flag(
        "dataset_percentage",
        "float",
        0.0,
        (THREE,),
        refused="all samples; --steps-per-epoch shortens an epoch",
        harmless=(0.0, 1.0),
    ),
    Flag("use_class_weights", "bool", False, (THREE,), to="--class-weight"),
    Flag("class_weights", "numbers", (), (THREE,), to="--class-weight"),
    Flag("dataset_lang", "text", "en", (THREE,), refused=_TRANSLATES, harmless=("en",)),
    Flag("dataset_lang2", "text", "de", (THREE,), refused=_TRANSLATES, harmless=("de",)),
)

SHAPES = {
    "mnist": ((1, 28, 28), 10, 60000, 10000),
    "cifar10": ((3, 32, 32), 10, 50000, 10000),
    "imagenet": ((3, 224, 224), 1000, 1281167, 50000),
}
"""Data set -> its shape with channels first, classes, and samples for training and for the test."""
_DATA_SETS = (*SHAPES, "folder", "archive", "synthetic")


def translate_data(settings: Settings, draft: Draft) -> None:
    """Translate the data set, its paths and its parts."""
    name = settings["dataset"].lower()
    if name not in _DATA_SETS:
        raise settings.refusal("dataset", f"one of {', '.join(_DATA_SETS)}")
    if name == "synthetic" or settings["use_synthetic_data"]:
        _translate_synthetic(name, settings, draft)
        return
    training, test = _paths(name, settings)
    draft.fields["data"] = training
    if _format_of(training) == "npz-folder":
        draft.fields["data_option"] = {"channels_first": True, "label_base": 1}
    if settings["test_as_validation"]:
        draft.fields["validation_data"] = test
    elif _has_validation(training):
        _keep_validation(settings, draft, training)
    else:
        _translate_split(settings, draft, test)
    if settings["evaluate"] and test != training:
        draft.fields["test_data"] = test
    _translate_class_weights(settings, draft)


def _paths(name: str, settings: Settings) -> tuple[str, str]:
    """Return the paths of the training and of the test data."""
    default = f"datasets/{name}"
    if settings.has("dataset_path"):
        path = settings["dataset_path"] or default
        return path, path
    training = settings["dataset_train_path"] or default
    return training, settings["dataset_test_path"] or training


def _format_of(path: str) -> str:
    """Return the format of data on this machine; "" for absent or unknown data, which opening them names."""
    try:
        return detect_format(Path(path))
    except ValueError:
        return ""


def _has_validation(path: str) -> bool:
    """Return whether data on this machine have a validation part of their own, such as a folder `val`."""
    return bool(_format_of(path)) and "validation" in splits_of(path)


def _keep_validation(settings: Settings, draft: Draft, training: str) -> None:
    """Validate on the data's own part."""
    if settings["validation_split"] and settings.is_given("validation_split"):
        flag = settings.shown("validation_split")
        draft.notes.append(
            f"{training} has a validation part of its own, which {flag} does not change."
        )


def _translate_split(settings: Settings, draft: Draft, test: str) -> None:
    """Hold out a part of the training data; where none is asked for, the test data validate."""
    part = settings["validation_split"]
    if not 0 <= part < 1:
        raise settings.refusal(
            "validation_split", "a part of the training data, at least 0 and below 1"
        )
    if part:
        draft.fields["validation_part"] = part
        return
    draft.fields["validation_data"] = test
    draft.notes.append(
        "validation_split is 0: all training samples are trained on, and the test data validate each epoch."
    )


def _translate_synthetic(name: str, settings: Settings, draft: Draft) -> None:
    """Translate zeros of a data set's shape, which no network learns, into pictures that one can learn."""
    if name == "synthetic":
        shape = tuple(map(int, settings["synthetic_input_shape"]))
        classes = int(settings["synthetic_output_shape"][-1])
        count, tests = settings["synthetic_train_samples"], settings["synthetic_test_samples"]
    else:
        shape, classes, count, tests = SHAPES.get(name, SHAPES["mnist"])
    if len(shape) != 3:
        raise settings.refusal(
            "synthetic_input_shape", "channels, height and width, such as 3,32,32"
        )
    channels, height, width = shape
    draft.fields["data"] = "synthetic-labels"
    draft.fields["image_size"] = (height, width)
    draft.fields["data_option"] = {"count": count, "classes": classes, "channels": channels}
    part = settings["validation_split"]
    if part:
        draft.fields["validation_part"] = part
    draft.notes.append(
        f"Synthetic pictures can be learnt here; there they are zeros ({tests} test samples)."
    )


def _translate_class_weights(settings: Settings, draft: Draft) -> None:
    weights = settings["class_weights"]
    if settings["use_class_weights"]:
        listed = ",".join(f"{number}={weight:g}" for number, weight in enumerate(weights))
        draft.fields["class_weight"] = listed or "balanced"
