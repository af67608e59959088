"""Reads the file of a spec or of nodes: a regular file in UTF-8, whose ending says what it is."""

from __future__ import annotations

import os
from pathlib import Path

from ddl.experiments.spec.text.item import Item, MisfitError, Place, Problems, SpecError
from ddl.experiments.spec.text.json_strict import read_json_text
from ddl.experiments.spec.text.yaml_strict import read_yaml
from ddl.files import check_regular
from ddl.ranges import did_you_mean

YAML_ENDINGS = (".yaml", ".yml")
JSON_ENDING = ".json"
CSV_ENDINGS = (".csv", ".tsv")

MOST_BYTES = 4 << 20
MOST_TABLE_BYTES = 64 << 20


def read_document(path: Path) -> Item:
    """Return the document in a YAML or JSON file.

    Raises:
        SpecError: it cannot be read; all that is wrong with its text is in it.
    """
    return parse_document(read_text(path), path)


def parse_document(text: str, path: Path) -> Item:
    """Return the document of a text that was read from a YAML or JSON file.

    Raises:
        SpecError: all that is wrong with the text.
    """
    problems = Problems()
    reader = read_json_text if path.suffix.lower() == JSON_ENDING else read_yaml
    try:
        item = reader(text, str(path), problems)
    except MisfitError as error:
        problems.add(error)
    problems.raise_any()
    return item


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Return the text of a file.

    Raises:
        SpecError: it is missing, no regular file, unreadable, too large, or not UTF-8.
    """
    try:
        check_regular(path)
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise SpecError((f"Received: {path}, which does not exist. {_near(path)}",)) from None
    except OSError as error:
        raise SpecError(
            (f"Received: {path}: {error.strerror}. Expected: a file that can be read.",)
        ) from None
    except ValueError as error:  # a pipe, a device, a name with a NUL
        raise SpecError((str(error) if "Received" in str(error) else _bad_name(path),)) from None
    if len(data) > most_bytes:
        raise SpecError(
            (f"Received: {path} of more than {most_bytes >> 20} MiB. Expected: a smaller file.",)
        )
    return _decoded(data, path)


def _decoded(data: bytes, path: Path) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise SpecError((f"{path}:1:1: Received: UTF-16. Expected: UTF-8; save it as UTF-8.",))
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        place = Place(str(path), before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise SpecError(
            (f"{place}: Received: the byte 0x{data[error.start]:02x}. Expected: text in UTF-8.",)
        ) from None


def _near(path: Path) -> str:
    try:
        names = os.listdir(path.parent)  # noqa: PTH208 (names are all that is needed)
    except OSError:
        names = []
    return f"Expected: a file.{did_you_mean(path.name, names)}"


def _bad_name(path: Path) -> str:
    return f"Received: {str(path)!r}. Expected: the path of a file."
