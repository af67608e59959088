"""Reads the files in a `.tar` or `.tar.gz` one after the other, without extracting it and without trusting it."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ddl.files import check_regular

SUFFIXES = (".tar", ".tar.gz", ".tgz")
_DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, UnicodeError)
_BLOCK = 1 << 20
"""Most bytes of one read. The headers of long names announce a size of their own, which tarfile would believe."""
_MOST_MEMBERS = 1000


class _Refusal(ValueError):
    """A ValueError raised here, to distinguish it from those of tarfile."""


def is_archive(path: Path) -> bool:
    """Return whether the file name is that of an archive."""
    return path.name.endswith(SUFFIXES) and path.is_file()


def read_members(path: Path, limit: int) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the name and the content of each regular file in an archive.

    Args:
        path: the archive.
        limit: maximum number of bytes in all files together.

    Raises:
        ValueError: the archive is damaged or too large, or has a member that is no regular file and no folder, or whose
            name leads out of a folder.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            is_zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            with gzip.GzipFile(fileobj=file) if is_zipped else file as stream:
                yield from _members(path, _Bounded(stream), limit)
    except _Refusal:
        raise
    except _DAMAGE as error:
        why = " ".join(str(error).split())[:160] or type(error).__name__
        raise ValueError(
            f"Received: {path}, which is damaged or cut short ({why}). Expected: an intact archive; download it again."
        ) from error


def _members(path: Path, stream: Any, limit: int) -> Iterator[tuple[PurePosixPath, bytes]]:
    left, seen = limit, set()
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for number, member in enumerate(archive):
            name = _checked_name(path, member)
            left -= member.size
            if number >= _MOST_MEMBERS or left < 0:
                raise _Refusal(
                    f"Received: {path} with more than {_MOST_MEMBERS} files or {limit} bytes. Expected: less; raise "
                    "memory_limit if you trust the archive."
                )
            if member.isdir():
                continue
            if name in seen:
                raise _Refusal(
                    f"Received: {name} twice in {path}. Expected: once; download it again."
                )
            seen.add(name)
            yield name, _content(archive, member)
    while stream.read(_BLOCK):  # to the end, where gzip has its checksum
        left -= _BLOCK
        if left < 0:
            raise _Refusal(
                f"Received: {path} with data behind its end. Expected: an intact archive; download it again."
            )


def _checked_name(path: Path, member: tarfile.TarInfo) -> PurePosixPath:
    """Return the name of a regular file or folder; refuse links, devices, and names that lead elsewhere."""
    if not (member.isfile() or member.isdir()) or member.issparse():
        what = "a link" if member.issym() or member.islnk() else "neither a plain file nor a folder"
        raise _Refusal(
            f"Received: {path}, where {member.name[:80]!r} is {what}. Expected: files and folders only; download it "
            "again from its publisher."
        )
    if member.size < 0:  # tarfile would go back, and read the same headers for ever
        raise tarfile.ReadError(f"a file of {member.size} bytes")
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise _Refusal(
            f"Received: {path} with a file {member.name[:80]!r}. Expected: names inside the archive, without '..'; "
            "download it again from its publisher."
        )
    return name


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    if file is None:
        raise tarfile.ReadError(f"no content of {member.name}")
    parts = []
    while part := file.read(_BLOCK):
        parts.append(part)
    content = b"".join(parts)
    if len(content) != member.size:
        raise EOFError(f"{member.name} has {len(content)} bytes of {member.size}")
    return content


class _Bounded:
    """A stream that refuses to read more than a block at once."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _BLOCK:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._stream.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        return self._stream.seek(position, whence)

    def tell(self) -> int:
        return self._stream.tell()
