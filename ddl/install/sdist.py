"""Horovod's published source: downloaded once, verified before any of it runs, unpacked and patched."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

from ddl.install import cache, patches
from ddl.install.environment import Environment, with_tools
from ddl.install.problem import Failure

VERSION = "0.28.1"
SHA256 = "92a43f5a94c43907a56805bad15f19700c62ffc83b7ca483f9e104e229f67ef0"


def fetch(env: Environment, tools: Path) -> Path:
    """Return the verified sdist from the cache; `env`'s pip downloads it if it is missing."""
    archive = cache.root() / "sdist" / f"horovod-{VERSION}" / f"horovod-{VERSION}.tar.gz"
    with cache.lock(cache.root() / "locks" / "sdist", "the download of Horovod's source"):
        if not archive.exists():
            with cache.publish(archive.parent) as partial:
                _download(env, tools, partial)
    check(archive)
    return archive


def _download(env: Environment, tools: Path, folder: Path) -> None:
    """Download with pip, which verifies the hash before it runs the package's metadata code."""
    wanted = folder / "requirement.txt"
    wanted.write_text(f"horovod=={VERSION} --hash=sha256:{SHA256}\n")
    arguments = ["download", "--no-deps", "--no-binary", "horovod", "--no-build-isolation"]
    arguments += ["--require-hashes", "-r", str(wanted), "--dest", str(folder), "--no-cache-dir"]
    log = cache.root() / "logs" / "download-horovod.log"
    env.pip("downloading Horovod's source", arguments, log, with_tools(os.environ, tools))


def check(archive: Path, expected: str = SHA256) -> None:
    """Raise Failure unless the archive has the expected checksum."""
    actual = cache.file_sha256(archive)
    if actual != expected:
        raise Failure(
            f"{archive}: sha256 is {actual}, expected {expected}: remove the file and run setup again."
        )


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack into `folder`, apply the patches, and return the source folder."""
    with tarfile.open(archive) as tar:
        # Python has the filter since 3.10.12 and 3.11.4.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)  # noqa: S202  the checksum was just verified
    source = folder / f"horovod-{VERSION}"
    patches.apply(source)
    return source
