"""Packs the agent into one file that any Python from 3.8 on runs: `python3 agent.pyz`."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

ROOMS = ("ddl/experiments/agent", "ddl/experiments/watching")
MODULES = ("ddl/__init__.py", "ddl/plain_text.py", "ddl/experiments/__init__.py")
_NOT_PACKED = ("ddl/experiments/agent/pack.py",)
_TIME = (2020, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16

_MAIN = """\
import sys

if sys.version_info < (3, 8):
    sys.stderr.write("agent: Received: Python %d.%d. Expected: Python 3.8 or newer.\\n" % sys.version_info[:2])
    sys.exit(2)

from pathlib import Path

from ddl.experiments.agent.main import main

sys.exit(main(None, str(Path(sys.argv[0]).resolve()), "SHA"))
"""


def packed_files() -> list[str]:
    """Return the files that are packed, by their paths in the repository."""
    root = _root()
    inside = [path for room in ROOMS for path in (root / room).rglob("*.py")]
    found = {path.relative_to(root).as_posix() for path in inside} | set(MODULES)
    return sorted(found - set(_NOT_PACKED))


def pack(path: Path) -> str:
    """Write the agent to `path`, whole. Return its SHA-256 as 16 hex digits: equal sources give equal bytes."""
    root = _root()
    contents = {name: (root / name).read_bytes() for name in packed_files()}
    digest = hashlib.sha256()
    for name, data in contents.items():
        digest.update(f"{name} {len(data)}\n".encode() + data)
    sha = digest.hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{sha}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"__main__.py": _MAIN.replace("SHA", sha).encode(), **contents}.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr, entry.compress_type = _MODE, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    partial.replace(path)
    return sha


def _root() -> Path:
    return Path(__file__).resolve().parents[3]
