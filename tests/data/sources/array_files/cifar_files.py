"""Small CIFAR data sets, as folders and archives."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDERS = {10: "cifar-10-batches-bin", 100: "cifar-100-binary"}


def picture(index: int) -> np.ndarray:
    """Return a picture (32, 32, 3) that no other index below 4096 gives."""
    rng = np.random.default_rng(index)
    return rng.integers(0, 256, (32, 32, 3), np.uint8)


def record(index: int, *labels: int) -> bytes:
    return bytes(labels) + picture(index).transpose(2, 0, 1).tobytes()


def files(classes: int = 10, count: int = 4) -> dict[str, bytes]:
    """Return name -> content; `count` samples a file, and every sample another one."""
    if classes == 10:
        names = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]
        texts = {"batches.meta.txt": "\n".join(NAMES)}
    else:
        names = ["train.bin", "test.bin"]
        texts = {
            "coarse_label_names.txt": "\n".join(f"coarse{n}" for n in range(20)),
            "fine_label_names.txt": "\n".join(f"fine{n}" for n in range(100)),
        }
    content = {}
    for number, name in enumerate(names):
        indices = range(number * count, (number + 1) * count)
        labels = [(n % 10,) if classes == 10 else (n % 20, n % 100) for n in indices]
        content[name] = b"".join(
            record(n, *label) for n, label in zip(indices, labels, strict=True)
        )
    return content | {name: f"{text}\n\n".encode() for name, text in texts.items()}


def folder(path: Path, classes: int = 10, **changes: bytes | None) -> Path:
    """Write a folder. `changes` give other contents by file name without its suffix; None leaves a file out."""
    path.mkdir(parents=True)
    for name, content in changed(files(classes), changes).items():
        (path / name).write_bytes(content)
    return path


def changed(content: dict[str, bytes], changes: dict[str, bytes | None]) -> dict[str, bytes]:
    named = {name: changes.get(name.split(".")[0], value) for name, value in content.items()}
    return {name: value for name, value in named.items() if value is not None}


def member(name: str, content: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member of an archive; attributes are those of TarInfo, such as type and linkname."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, content


def archive(
    path: Path,
    classes: int = 10,
    more: tuple[tuple[tarfile.TarInfo, bytes], ...] = (),
    **changes: bytes | None,
) -> Path:
    """Write an archive in the form of the published ones, with more members before the others."""
    inner = FOLDERS[classes]
    members = [member(f"{inner}/{n}", c) for n, c in changed(files(classes), changes).items()]
    place = member(inner, type=tarfile.DIRTYPE)
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as file:
        for info, content in (place, *more, *members):
            file.addfile(info, io.BytesIO(content))
    return path
