"""What the functions in the database call, in the server's own processes: models in, pictures in, results out.

Nothing here runs SQL: in a parallel worker PL/Python's own queries fail, since each starts a subtransaction. The
registry is read by the PL/pgSQL functions around it, which hand a model over once a backend.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from ddl.data.preprocessing import preprocessing_from_json
from ddl.inference.backends.openvino_runtime import load_openvino
from ddl.scoring.in_database.checksum import digest
from ddl.scoring.in_database.deployed_model import Model
from ddl.scoring.in_database.limits import Limits
from ddl.scoring.in_database.network import open_network, without_signals
from ddl.scoring.in_database.readable_folders import read_below

MODELS_KEPT = 4
"""In a backend; the one that was used longest ago gives way."""

_KEY = "ddl.models"
_ERROR_LENGTH = 500

Kept = MutableMapping[str, Any]
Row = tuple[bytes | None, str | None, float | None, str | None]

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it would say, our errors say


def openvino_version() -> str:
    """Return the version of OpenVINO, after loading it."""
    with without_signals():
        return str(load_openvino().__version__).partition("-")[0]


def is_loaded(kept: Kept, checksum: str) -> bool:
    """Return whether this backend has a model. `kept` is PL/Python's GD."""
    return checksum in kept.get(_KEY, {})


def load(kept: Kept, checksum: str, network: bytes, weights: bytes, preprocessing: str) -> None:
    """Build a model and keep it as long as the backend lives.

    Raises:
        ValueError: it is not what was deployed.
    """
    if digest(network, weights, preprocessing) != checksum:
        raise ValueError(
            f"Received: a model whose checksum is not {checksum[:12]}... Expected: what was deployed; deploy it again."
        )
    how = preprocessing_from_json(preprocessing, "the model's preprocessing")
    with without_signals():  # TBB and NumPy start threads whenever they like
        model = Model(open_network(network, weights), how)
    models = kept.setdefault(_KEY, {})
    while len(models) >= MODELS_KEPT:
        del models[next(iter(models))]
    models[checksum] = model


def segment(
    kept: Kept, checksum: str, pictures: Sequence[bytes | None], threshold: float, limits: Limits
) -> list[bytes | None]:
    """Return the mask of each picture; of NULL, NULL."""
    model = _model(kept, checksum)
    return [None if one is None else model.segment(one, threshold, limits) for one in pictures]


def classify(
    kept: Kept, checksum: str, pictures: Sequence[bytes | None], limits: Limits
) -> list[tuple[int, str | None, float | None]]:
    """Return place (from 1), most probable class and probability of each picture; NULLs of NULL."""
    model = _model(kept, checksum)
    none = (None, None)
    found = [none if one is None else model.classify(one, limits) for one in pictures]
    return [(place, *one) for place, one in enumerate(found, start=1)]


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
    """Yield mask, class, probability and error of each picture: a bad one has an error, and the others go on."""
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
    """Return a file below one of the folders."""
    return read_below(name or "", folders, limits.bytes)


def try_file(
    name: str | None, folders: Sequence[str], limits: Limits
) -> tuple[bytes | None, str | None]:
    """Return a file, or the reason why not."""
    try:
        return read_below(name or "", folders, limits.bytes), None
    except (ValueError, OSError, MemoryError) as error:
        return None, error_text(error)


def error_text(error: BaseException) -> str:
    """Return one line about an error, of characters that a text in a database may have."""
    text = " ".join(str(error).replace("\0", " ").split()) or type(error).__name__
    return text.encode("utf-8", "replace").decode()[:_ERROR_LENGTH]


def _model(kept: Kept, checksum: str) -> Model:
    models = kept[_KEY]
    model: Model = models.pop(checksum)
    models[checksum] = model  # the last one used stands last
    return model
