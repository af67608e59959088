"""The code of an experiment: commit and differences of its own folder's repository, and a frozen copy."""

from __future__ import annotations

import dataclasses
import filecmp
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ddl.experiments.spec.records import FROZEN, Code, Experiment
from ddl.experiments.store.code.files import code_files
from ddl.experiments.store.code.snapshot import take_snapshot
from ddl.experiments.store.folder import StoreFolder
from ddl.files import write_whole
from ddl.git import ask_git, git_text

_DIFF_TIMEOUT_S = 60.0
_LARGEST_DIFF_BYTES = 64 << 20
_DIFF = (
    "--binary",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)


@dataclass(frozen=True)
class Frozen:
    """Code that experiments of one folder run."""

    run_folder: str
    """Where the command runs: in the frozen copy, or in the user's own folder. {store_dir} is the store on the node."""
    code: Code
    lines: tuple[str, ...]
    """What was found and copied, for the user."""


@dataclass(frozen=True)
class Repository:
    """State of the git repository that tracks a folder."""

    top: Path
    commit: str | None
    branch: str | None
    diff: bytes
    """What differs from the commit, in git's binary form; b"" if nothing does."""


def freeze(store: StoreFolder, folder: Path, policy: str, words: Iterable[str] = ()) -> Frozen:
    """Record the code of a folder; with the policy "frozen", copy it into the store.

    Args:
        store: where the copy and the differences go.
        folder: the folder that the command runs in.
        policy: "frozen" or "live".
        words: words of commands: small files that they name are copied, whatever their suffix.

    Raises:
        ValueError: It is no folder, or its code is too large.
    """
    if not folder.is_dir():
        raise ValueError(
            f"Received: folder={folder}, which is no folder. Expected: that of the command."
        )
    folder = folder.resolve()
    repository = find_repository(folder, store.path.resolve())
    code = _recorded(folder, policy, repository)
    note = _save_diff(store, code, repository)
    lines = (_told(repository, folder), *note)
    if policy != FROZEN:
        live = f"Runs the files in {folder} as they are when it starts (code: live)."
        return Frozen(_braced(folder), code, (*lines, live))
    top = repository.top if repository else folder
    files = code_files(top, repository is not None, store.path.resolve(), folder, words)
    snapshot = take_snapshot(store, top, files)
    copied = f"{snapshot.files} files of code, {_size(snapshot.bytes)}: {snapshot.path}"
    code = dataclasses.replace(code, snapshot=snapshot.path.name)
    place = Path("code", snapshot.path.name, folder.relative_to(top))
    return Frozen(f"{{store_dir}}/{_braced(place)}", code, (*lines, copied))


def has_changed(store: StoreFolder, record: Experiment, spec: Path) -> bool:
    """Return whether a file of an experiment's frozen code differs by now. The spec is no code: it may grow."""
    if record.code.snapshot is None:
        return False
    copy = store.code / record.code.snapshot
    inner = folder_of(store.path, record).relative_to(copy)
    top = Path(record.code.source)
    for _ in inner.parts:
        top = top.parent
    for place, _, names in os.walk(copy):
        for name in names:
            frozen = Path(place) / name
            original = top / frozen.relative_to(copy)
            if frozen.is_symlink() or original == spec.resolve():
                continue
            if not original.is_file() or not filecmp.cmp(frozen, original, shallow=False):
                return True
    return False


def _recorded(folder: Path, policy: str, repository: Repository | None) -> Code:
    """Return the record of a folder's code, without a copy."""
    if repository is None:
        return Code(policy=policy, source=str(folder))
    commit, diff = repository.commit, repository.diff
    patch = None
    if commit and 0 < len(diff) <= _LARGEST_DIFF_BYTES:
        patch = f"{commit[:12]}-{hashlib.sha256(diff).hexdigest()[:8]}.patch"
    return Code(
        policy=policy,
        commit=commit,
        branch=repository.branch,
        dirty=bool(diff),
        patch=patch,
        source=str(folder),
    )


def find_repository(folder: Path, store: Path) -> Repository | None:
    """Return the repository that tracks files of a folder, None without one. The store's own files do not count.

    A repository further up may track nothing here, such as one of a home's settings.
    """
    top = git_text(folder, "rev-parse", "--show-toplevel")
    if not top or not git_text(folder, "ls-files", "--", "."):
        return None
    root = Path(top).resolve()
    own = [f":(top,exclude,literal){store.relative_to(root)}"] if store.is_relative_to(root) else []
    commit = git_text(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    branch = git_text(folder, "symbolic-ref", "--quiet", "--short", "HEAD")
    diff = b""
    if commit:
        command = ("diff", *_DIFF, "HEAD", "--", ":/", *own)
        diff = ask_git(folder, *command, timeout_s=_DIFF_TIMEOUT_S) or b""
    return Repository(root, commit, branch, diff)


def _save_diff(store: StoreFolder, code: Code, repository: Repository | None) -> tuple[str, ...]:
    """Write what differs from the commit. Return a line where it is too large for that."""
    if repository is None or not repository.diff:
        return ()
    if code.patch is None:
        found, most = _size(len(repository.diff)), _size(_LARGEST_DIFF_BYTES)
        return (f"The differences are not saved as a patch: {found}, above {most}.",)
    path = store.code / code.patch
    if not path.exists():
        write_whole(path, lambda partial: partial.write_bytes(repository.diff))
    return ()


def folder_of(store: Path, record: Experiment) -> Path:
    """Return the folder that an experiment's command runs in, for a store in this place."""
    values = {"{{": "{", "}}": "}", "{store_dir}": str(store)}
    return Path(
        re.sub(r"\{\{|\}\}|\{store_dir\}", lambda found: values[found[0]], record.run.folder)
    )


def _braced(path: Path) -> str:
    """Return a path whose braces are no placeholders."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _told(repository: Repository | None, folder: Path) -> str:
    if repository is None:
        return f"No git repository tracks {folder}."
    if repository.commit is None:
        return f"The git repository in {repository.top} has no commit yet."
    changed = ", with changes" if repository.diff else ""
    return f"Commit {repository.commit[:12]} ({repository.branch or 'no branch'}){changed}."


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.1f} kB"
