"""Packs what a support ticket needs from a run directory into one archive, without data, weights or secrets.

python -m ddl.doctor --report runs/cells      writes cells-report.tar.gz
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ddl.doctor.masking import Mask
from ddl.files import check_folder, write_whole

_JSON = ("plan.json", "facts.json", "preprocessing.json", "config.json")
_TEXTS = ("history.jsonl", "history.csv", "model.txt", "network.dot")
_LOG = "log.txt"
_MARKS = (*_JSON[:2], _LOG, *_TEXTS[:1])
_MOST_BYTES = 2 << 20
_MOST_LISTED = 2000


def report_path(run_dir: Path) -> Path:
    """Return the archive's path, in the working directory."""
    return Path(f"{run_dir.resolve().name or 'run'}-report.tar.gz")


def check_report(run_dir: Path) -> None:
    """Refuse a folder that is no run directory. Writes nothing.

    Raises:
        ValueError: says what is missing.
    """
    if not run_dir.is_dir() or not any((run_dir / name).is_file() for name in _MARKS):
        raise ValueError(
            f"Received: --report {run_dir}, which is no run directory. Expected: a folder with some of "
            f"{', '.join(_MARKS)}."
        )
    check_folder("--report", report_path(run_dir).absolute().parent)
    if report_path(run_dir).is_dir():
        raise ValueError(
            f"Received: --report {run_dir}, but {report_path(run_dir)} is a folder. Expected: to write that file."
        )


def write_report(run_dir: Path, machine: Mapping[str, Any], mask: Mask) -> list[str]:
    """Write the archive; return a line on each file in it.

    Args:
        run_dir: accepted by `check_report`.
        machine: facts about this machine, as JSON values.
        mask: hides secrets.

    Raises:
        OSError: it cannot be written.
    """
    texts = dict(contents(run_dir, machine, mask))
    folder = report_path(run_dir).name.removesuffix(".tar.gz")
    write_whole(report_path(run_dir), functools.partial(_pack, texts=texts, folder=folder))
    return [f"{len(text.encode()):>9,} bytes  {name}" for name, text in texts.items()]


def contents(run_dir: Path, machine: Mapping[str, Any], mask: Mask) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file of the ticket."""
    yield "machine.json", json.dumps(mask.value(machine), indent=2) + "\n"
    yield "files.txt", mask.text(_listing(run_dir))
    for name in (*_JSON, *_TEXTS, _LOG):
        text = _text_of(run_dir / name)
        if text is not None:
            yield name, mask.json_text(text) if name in _JSON else mask.text(text)


def _text_of(path: Path) -> str | None:
    """Return the text of a regular file, of a long one the beginning and the end; None where there is none."""
    if not path.is_file() or path.is_symlink():
        return None
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= 2 * _MOST_BYTES:
                return file.read().decode("utf-8", "backslashreplace")
            begin = file.read(_MOST_BYTES)
            file.seek(size - _MOST_BYTES)
            end = file.read()
    except OSError as error:
        return f"(cannot be read: {error.strerror})\n"
    # Whole lines, so that no secret is cut in two.
    begin, end = begin[: begin.rfind(b"\n") + 1], end[end.find(b"\n") + 1 :]
    left_out = f"({size - len(begin) - len(end)} bytes left out)\n".encode()
    return (begin + left_out + end).decode("utf-8", "backslashreplace")


def _listing(run_dir: Path) -> str:
    """Return size, time and name of what is in the folder; nothing is opened."""
    lines = []
    for path in sorted(run_dir.rglob("*")):
        status = path.lstat()
        lines.append(f"{status.st_size:>14,} {status.st_mtime:.0f} {path.relative_to(run_dir)}")
        if len(lines) == _MOST_LISTED:
            lines.append("(and more)")
            break
    return "\n".join(lines) + "\n"


def _pack(partial: Path, texts: Mapping[str, str], folder: str) -> None:
    with (
        partial.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, text in texts.items():
            data = text.encode("utf-8", "backslashreplace")
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
