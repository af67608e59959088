"""A frozen copy of code: the files copied, everything beside them linked to. Its name comes from its contents."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ddl.experiments.store.code.files import is_store
from ddl.experiments.store.folder import TEMPORARY, StoreFolder

MOST_FILES = 20_000
MOST_BYTES = 256 << 20

_LEFT_OUT = frozenset({".git", "__pycache__"})


@dataclass(frozen=True)
class Snapshot:
    """A frozen copy in a store."""

    path: Path
    files: int
    bytes: int


def take_snapshot(store: StoreFolder, top: Path, files: Sequence[str]) -> Snapshot:
    """Copy files below `top` to the store, and link to everything else that stands in their folders.

    Each file is read once, so that its copy and the snapshot's name agree, whatever happens to it meanwhile.

    Raises:
        ValueError: They are too many, or too large.
    """
    if len(files) > MOST_FILES:
        raise _too_large(top, f"{len(files)} files", f"{MOST_FILES} files")
    store.code.mkdir(exist_ok=True)
    partial = store.code / f"{TEMPORARY}{uuid.uuid4().hex[:12]}"
    partial.mkdir()
    try:
        digest, copied, size_bytes = _copy(top, files, partial)
        final = store.code / digest
        _link_the_rest(top, copied, partial, store.path.resolve())
        if not final.exists():
            _sync(partial)
            with contextlib.suppress(FileExistsError):
                partial.rename(final)
        else:
            _link_the_rest(top, copied, final, store.path.resolve())
        _sync_folder(store.code)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Snapshot(final, len(copied), size_bytes)


def _copy(top: Path, files: Sequence[str], target: Path) -> tuple[str, list[str], int]:
    """Copy files. Return the digest of where they came from, their names and contents; the names; their bytes."""
    digest = hashlib.sha256(os.fsencode(str(top)))
    copied, size_bytes = [], 0
    for name in files:
        source, copy = top / name, target / name
        try:
            if source.is_symlink():
                kind, data = b"l", os.fsencode(_link_text(source, top))
            elif source.is_file():
                _check_size(top, size_bytes + source.stat().st_size)
                kind = b"x" if os.access(source, os.X_OK) else b"f"
                data = source.read_bytes()
            else:  # a submodule that is not there, a pipe
                continue
        except FileNotFoundError:
            continue
        size_bytes += len(data)
        _check_size(top, size_bytes)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if kind == b"l":
            copy.symlink_to(os.fsdecode(data))
        else:
            copy.write_bytes(data)
            copy.chmod(0o555 if kind == b"x" else 0o444)
        head = os.fsencode(name) + b"\0" + kind + str(len(data)).encode() + b"\0"
        digest.update(head + data)
        copied.append(name)
    return digest.hexdigest()[:16], copied, size_bytes


def _link_text(source: Path, top: Path) -> str:
    """Return what a copied link says: the same text where it stays within the code, else the place itself."""
    text = str(source.readlink())
    target = Path(os.path.normpath(source.parent / text))
    stays = not Path(text).is_absolute() and target.is_relative_to(top)
    return text if stays else str(target)


def _link_the_rest(top: Path, copied: Sequence[str], target: Path, store: Path) -> None:
    """Link to what stands beside copied files and is missing in `target`, but to no folder around the store.

    Such a link would be a circle: whoever follows it finds the copy in itself.
    """
    own = {store, *store.parents}
    folders = {parent for name in copied for parent in Path(name).parents} | {Path()}
    for folder in sorted(folders):
        with os.scandir(top / folder) as entries:
            for entry in entries:
                path, link = Path(entry.path), target / folder / entry.name
                is_left_out = (
                    entry.name in _LEFT_OUT or path in own or folder / entry.name in folders
                )
                if is_left_out or os.path.lexists(link) or is_store(path):
                    continue
                with contextlib.suppress(FileExistsError):
                    link.symlink_to(path)


def _check_size(top: Path, size_bytes: int) -> None:
    if size_bytes > MOST_BYTES:
        raise _too_large(top, f"more than {MOST_BYTES >> 20} MiB", f"{MOST_BYTES >> 20} MiB")


def _too_large(top: Path, received: str, most: str) -> ValueError:
    return ValueError(
        f"Received: code in {top} of {received}. Expected: at most {most}; leave data out by .gitignore, or say "
        "`code: live` in the spec."
    )


def _sync(folder: Path) -> None:
    """Sync all files of a folder, after all are written: the disk takes many in about the time of one."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            if not path.is_symlink():
                opened = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(opened)
                finally:
                    os.close(opened)
        _sync_folder(Path(place))


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
