"""In which lines the code of experiments differs: their patches against the commit, and their frozen copies."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ddl.experiments.spec.records import Code

MOST_LINES = 5_000
"""Lines of a file that are compared one by one; larger files are only said to differ."""

_LARGEST_PATCH_BYTES = 64 << 20
_LARGEST_FILE_BYTES = 4 << 20
_SAME = "same"


@dataclass(frozen=True)
class Changed:
    """Lines that were added and removed; None where they cannot be counted."""

    added: int | None
    removed: int | None

    def __str__(self) -> str:
        """Return the form of git's short statistics."""
        return "differs" if self.added is None else f"+{self.added} -{self.removed}"


def commit_text(code: Code, folder: Path) -> str:
    """Return the commit of an experiment's code, and how far its files were from it."""
    if code.commit is None:
        return "no commit"
    text = code.commit[:12]
    changed = patch_lines(folder / code.patch) if code.patch else None
    if changed is not None:
        return f"{text} {changed}"
    return f"{text} and more" if code.dirty else text


def patch_lines(path: Path) -> Changed | None:
    """Return how many lines a patch adds and removes, None if it cannot be read."""
    try:
        if path.stat().st_size > _LARGEST_PATCH_BYTES:
            return None
        lines = path.read_bytes().splitlines()
    except OSError:
        return None
    is_within = False
    added = removed = 0
    for line in lines:
        if line.startswith((b"diff --git ", b"GIT binary patch")):
            is_within = False
        elif line.startswith(b"@@ "):
            is_within = True
        elif is_within:
            added += line.startswith(b"+")
            removed += line.startswith(b"-")
    return Changed(added, removed)


def snapshot_differences(first: Path, other: Path) -> dict[str, str]:
    """Return the files in which two frozen copies differ, each with the lines that the other has more and less."""
    mine, theirs = dict(_files(first)), dict(_files(other))
    found = {}
    for name in sorted({*mine, *theirs}):
        if name not in theirs:
            found[name] = "missing"
        elif name not in mine:
            found[name] = "new"
        else:
            changed = _file_difference(mine[name], theirs[name])
            if changed is not None:
                found[name] = str(changed)
    return found


def file_rows(snapshots: list[Path | None]) -> dict[str, list[str]]:
    """Return for each file that differs anywhere how it differs from the first copy, "" where there is none."""
    first = snapshots[0]
    if first is None:
        return {}
    others: list[dict[str, str] | None] = [
        None if path is None else {} if path == first else snapshot_differences(first, path)
        for path in snapshots[1:]
    ]
    names = sorted({name for found in others if found for name in found})
    return {
        name: [_SAME, *("" if found is None else found.get(name, _SAME) for found in others)]
        for name in names
    }


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the copied files; links lead to what was not copied."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                yield str(path.relative_to(folder)), path


def _file_difference(mine: Path, theirs: Path) -> Changed | None:
    """Return in how many lines two files differ, None if they do not."""
    try:
        sizes = mine.stat().st_size, theirs.stat().st_size
        if max(sizes) > _LARGEST_FILE_BYTES:
            return None if mine.samefile(theirs) else Changed(None, None)
        one, two = mine.read_bytes(), theirs.read_bytes()
    except OSError:
        return Changed(None, None)
    if one == two:
        return None
    left, right = one.splitlines(), two.splitlines()
    if b"\0" in one + two or max(len(left), len(right)) > MOST_LINES:
        return Changed(None, None)
    added = removed = 0
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for kind, begin, end, other_begin, other_end in matcher.get_opcodes():
        if kind != "equal":
            removed, added = removed + end - begin, added + other_end - other_begin
    return Changed(added, removed)
