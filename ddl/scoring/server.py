"""Python side of the database functions, called by PL/Python in the server's own processes.

Nothing here runs SQL: queries from PL/Python fail in parallel workers, since each starts a subtransaction. The PL/pgSQL
functions around it read the table of models and pass each model once per backend.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from ddl.data.preprocessing import preprocessing_from_json
from ddl.inference.backends.optional_packages import load_openvino
from ddl.scoring.in_database.deployed_model import Model
from ddl.scoring.in_database.limits import Limits
from ddl.scoring.in_database.network import digest, open_network, without_signals
from ddl.scoring.in_database.readable_folders import read_below

MODELS_KEPT = 4
"""Number of models that a backend caches; the least recently used one is dropped."""

_KEY = "ddl.models"
_ERROR_LENGTH = 500

Kept = MutableMapping[str, Any]
Row = tuple[bytes | None, str | None, float | None, str | None]

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # our own errors say the same


def openvino_version() -> str:
    """Return the version of OpenVINO, after loading it."""
    with without_signals():
        return str(load_openvino().__version__).partition("-")[0]


def is_loaded(kept: Kept, checksum: str) -> bool:
    """Return whether this backend has loaded a model. `kept` is PL/Python's dictionary GD."""
    return checksum in kept.get(_KEY, {})


def load(kept: Kept, checksum: str, network: bytes, weights: bytes, preprocessing: str) -> None:
    """Load a model and cache it in the backend.

    Raises:
        ValueError: the model differs from the deployed one.
    """
    if digest(network, weights, preprocessing) != checksum:
        raise ValueError(
            f"Received: a model whose checksum is not {checksum[:12]}... Expected: the model as deployed; deploy it "
            "again."
        )
    how = preprocessing_from_json(preprocessing, "the model's preprocessing")
    with without_signals():  # TBB and NumPy start threads while the model loads
        model = Model(open_network(network, weights), how)
    models = kept.setdefault(_KEY, {})
    while len(models) >= MODELS_KEPT:
        del models[next(iter(models))]
    models[checksum] = model


def segment(
    kept: Kept, checksum: str, pictures: Sequence[bytes | None], threshold: float, limits: Limits
) -> list[bytes | None]:
    """Return the mask of each picture; NULL for NULL."""
    model = _model(kept, checksum)
    return [
        None if picture is None else model.segment(picture, threshold, limits)
        for picture in pictures
    ]


def classify(
    kept: Kept, checksum: str, pictures: Sequence[bytes | None], limits: Limits
) -> list[tuple[int, str | None, float | None]]:
    """Return place (from 1), most probable class and its probability of each picture; NULLs for NULL."""
    model = _model(kept, checksum)
    nulls = (None, None)
    results = [
        nulls if picture is None else model.classify(picture, limits) for picture in pictures
    ]
    return [(place, *result) for place, result in enumerate(results, start=1)]


def probabilities(
    kept: Kept, checksum: str, picture: bytes, limits: Limits
) -> list[tuple[str, float]]:
    """Return every class with its probability."""
    return _model(kept, checksum).probabilities(picture, limits)


def score(
    kept: Kept,
    checksum: str,
    pictures: Sequence[bytes | None],
    threshold: float,
    limits: Limits,
) -> Iterator[Row]:
    """Yield mask, class, probability and error of each picture. A bad picture gets an error; the others are scored."""
    model = _model(kept, checksum)
    for picture in pictures:
        try:
            if picture is None:
                raise ValueError("Received: NULL. Expected: a picture.")
            if model.target == "mask":
                yield model.segment(picture, threshold, limits), None, None, None
            else:
                yield None, *model.classify(picture, limits), None
        except (ValueError, OSError, MemoryError, RuntimeError) as error:
            yield None, None, None, error_text(error)


def read_file(name: str | None, folders: Sequence[str], limits: Limits) -> bytes:
    """Return the content of a file below one of the folders."""
    return read_below(name or "", folders, limits.bytes)


def try_file(
    name: str | None, folders: Sequence[str], limits: Limits
) -> tuple[bytes | None, str | None]:
    """Return the content of a file, or an error text."""
    try:
        return read_below(name or "", folders, limits.bytes), None
    except (ValueError, OSError, MemoryError) as error:
        return None, error_text(error)


def error_text(error: BaseException) -> str:
    """Return an error as one line without characters that PostgreSQL's text type refuses."""
    text = " ".join(str(error).replace("\0", " ").split()) or type(error).__name__
    return text.encode("utf-8", "replace").decode()[:_ERROR_LENGTH]


def _model(kept: Kept, checksum: str) -> Model:
    models = kept[_KEY]
    model: Model = models.pop(checksum)
    models[checksum] = model  # moved to the end: the dictionary is ordered by last use
    return model
