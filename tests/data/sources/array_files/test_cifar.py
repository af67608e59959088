"""CIFAR's binary version, as a folder and as an archive; nothing of the version for Python is ever run."""

from __future__ import annotations

import gzip
import io
import pickle
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.data.inputs_and_targets import count_classes
from ddl.data.sources import detect_format, open_source, splits_of
from tests.data.sources.array_files import cifar_files as files
from tests.data.sources.array_files.cifar_files import archive, folder, member

FILES = files.files()
ONE = files.record(0, 3)
FORMS: dict[str, Callable[[Path, int], Path]] = {
    "folder": lambda tmp, classes: folder(tmp / "in", classes),
    "the folder around it": lambda tmp, classes: (
        folder(tmp / "in" / files.FOLDERS[classes], classes).parent
    ),
    "tar.gz": lambda tmp, classes: archive(tmp / "c.tar.gz", classes),
    "tar": lambda tmp, classes: archive(tmp / "c.tar", classes),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_samples(tmp_path: Path, form: str) -> None:
    path = FORMS[form](tmp_path, 10)
    assert detect_format(path) == "cifar"
    assert splits_of(path) == ("train", "test")
    train, test = (open_source(path, split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (20, 4)
    wanted = [19, 0, 7, 7]
    batch = train.read(wanted)
    assert batch["image"].shape == (4, 32, 32, 3)
    assert batch["image"].flags.c_contiguous
    assert np.array_equal(batch["image"], np.stack([files.picture(n) for n in wanted]))
    assert batch["label"].tolist() == [9, 0, 7, 7]
    assert np.array_equal(test.read([3])["image"][0], files.picture(23))
    assert train.class_names == files.NAMES
    assert train.describe().startswith("10 classes: airplane (2), automobile (2)")


@pytest.mark.parametrize("form", FORMS)
def test_cifar_100_has_fine_and_coarse_labels(tmp_path: Path, form: str) -> None:
    path = FORMS[form](tmp_path, 100)
    fine, coarse = (open_source(path, split="test", labels=kind) for kind in ("fine", "coarse"))
    assert fine.read([2])["label"].tolist() == coarse.read([2])["label"].tolist() == [6]
    assert np.array_equal(fine.read([2])["image"][0], files.picture(6))
    assert (count_classes(fine), count_classes(coarse)) == (100, 20)
    assert coarse.class_names[19] == "coarse19"


def test_without_names_the_numbers_of_all_classes_stand(tmp_path: Path) -> None:
    source = open_source(folder(tmp_path / "in", batches=None))
    assert source.class_names == tuple("0123456789")


def test_a_folder_is_mapped_and_an_archive_extracts_nothing(tmp_path: Path) -> None:
    before = {archive(tmp_path / "c.tar.gz")}
    open_source(tmp_path / "c.tar.gz")
    assert set(tmp_path.iterdir()) == before


def zipped(path: Path, change: Callable[[bytes], bytes]) -> Path:
    path.write_bytes(change(archive(path).read_bytes()))
    return path


def long_header(path: Path) -> Path:
    """Write an archive whose header of a long name announces 7 GiB."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 7 << 30
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    return path


def negative_size(path: Path) -> Path:
    info = tarfile.TarInfo("a")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 11 + b"\x00"  # -256 in base 256
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    path.write_bytes(bytes(header) + bytes(2048))
    return path


def appended(path: Path) -> Path:
    """Write an archive with 2 MiB more in its gzip stream than the files announce."""
    plain = archive(path.with_suffix("")).read_bytes()
    path.write_bytes(gzip.compress(plain + bytes(2 << 20), 1))
    return path


def link(kind: bytes, target: str) -> Callable[[Path], Path]:
    info = member("cifar-10-batches-bin/data_batch_1.bin", type=kind, linkname=target)
    return lambda tmp: archive(tmp / "c.tar.gz", more=(info,), data_batch_1=None)


def named(name: str, **attributes: Any) -> Callable[[Path], Path]:
    return lambda tmp: archive(tmp / "c.tar.gz", more=(member(name, **attributes),))


BAD: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str]] = {
    "cut short": (
        lambda tmp: folder(tmp / "in", data_batch_2=FILES["data_batch_2.bin"][:-5]),
        {},
        "data_batch_2.bin of 12287 bytes. Expected: a multiple of 3073",
    ),
    "too long": (
        lambda tmp: folder(tmp / "in", data_batch_2=FILES["data_batch_2.bin"] + b"a"),
        {},
        "data_batch_2.bin of 12293 bytes",
    ),
    "empty": (lambda tmp: folder(tmp / "in", data_batch_3=b""), {}, "data_batch_3.bin of 0 bytes"),
    "a batch missing": (
        lambda tmp: folder(tmp / "in", data_batch_4=None),
        {},
        "without data_batch_4.bin. Expected: all files of the train split",
    ),
    "no test batch": (
        lambda tmp: folder(tmp / "in", test_batch=None),
        {"split": "test"},
        "without test_batch.bin",
    ),
    "label out of range": (
        lambda tmp: folder(tmp / "in", data_batch_5=ONE + files.record(1, 10)),
        {},
        "label 10 in sample 1 of ",
    ),
    "fine label out of range": (
        lambda tmp: folder(tmp / "in", 100, train=files.record(1, 0, 100)),
        {},
        "label 100 in sample 0 of ",
    ),
    "coarse label out of range": (
        lambda tmp: folder(tmp / "in", 100, train=files.record(1, 20, 0)),
        {"labels": "coarse"},
        "label 20 in sample 0 of ",
    ),
    "coarse labels of CIFAR-10": (
        lambda tmp: folder(tmp / "in"),
        {"labels": "coarse"},
        "labels=coarse for CIFAR-10 in ",
    ),
    "unknown labels": (
        lambda tmp: folder(tmp / "in", 100),
        {"labels": "all"},
        "labels='all'. Expected one of: fine, coarse",
    ),
    "unknown split": (
        lambda tmp: folder(tmp / "in"),
        {"split": "validation"},
        "split='validation'. Expected one of: train, test",
    ),
    "names missing": (
        lambda tmp: folder(tmp / "in", batches=b"cat dog"),
        {},
        "batches.meta.txt with 2 names. Expected: 10",
    ),
    "both versions": (
        lambda tmp: (
            (folder(tmp / "in", 10) and (tmp / "in/train.bin").write_bytes(b"")) or tmp / "in"
        ),
        {},
        "with files of both CIFAR-10 and CIFAR-100",
    ),
    "archive: damaged": (
        lambda tmp: zipped(tmp / "c.tar.gz", lambda data: data[:-3000]),
        {},
        "which is damaged or cut short (",
    ),
    "archive: flipped byte": (
        lambda tmp: zipped(tmp / "c.tar.gz", lambda d: d[:-7] + bytes([d[-7] ^ 1]) + d[-6:]),
        {},
        "which is damaged or cut short (CRC check failed",
    ),
    "archive: no archive": (
        lambda tmp: (tmp / "c.tar.gz").write_text("no archive") and tmp / "c.tar.gz",
        {},
        "which is damaged or cut short (",
    ),
    "archive: of other files": (
        lambda tmp: archive(tmp / "c.tar", **dict.fromkeys([n.split(".")[0] for n in FILES])),
        {},
        "c.tar with no file of CIFAR's binary version. Expected: data_batch_1.bin and ",
    ),
    "archive: symbolic link": (link(tarfile.SYMTYPE, "/etc/passwd"), {}, "bin' is a link"),
    "archive: hard link": (link(tarfile.LNKTYPE, "../../a"), {}, "bin' is a link"),
    "archive: device": (named("null", type=tarfile.CHRTYPE), {}, "neither a plain file nor"),
    "archive: leads up": (named("../../etc/cron.d/a"), {}, "'../../etc/cron.d/a'. Expected: names"),
    "archive: absolute": (named("/etc/cron.d/a"), {}, "'/etc/cron.d/a'. Expected: names"),
    "archive: a file twice": (
        named("cifar-10-batches-bin/data_batch_1.bin", content=ONE),
        {},
        "data_batch_1.bin twice in",
    ),
    "archive: two folders": (
        named("other/data_batch_1.bin", content=ONE),
        {},
        "data_batch_1.bin in two folders",
    ),
    "archive: too large": (
        lambda tmp: archive(tmp / "c.tar.gz"),
        {"memory_limit": 50_000},
        "or 50000 bytes. Expected: less; raise memory_limit",
    ),
    "archive: huge header": (
        lambda tmp: long_header(tmp / "c.tar"),
        {},
        "damaged or cut short (a header of 7516192768 bytes)",
    ),
    "archive: negative size": (
        lambda tmp: negative_size(tmp / "c.tar"),
        {},
        "damaged or cut short",
    ),
    "archive: data behind it": (
        lambda tmp: appended(tmp / "c.tar.gz"),
        {"memory_limit": 200_000},
        "with data behind its end",
    ),
    "archive: cut short inside": (
        lambda tmp: archive(tmp / "c.tar.gz", test_batch=None, data_batch_5=ONE[:-1]),
        {},
        "data_batch_5.bin in ",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_cifar_gets_one_line(tmp_path: Path, case: str) -> None:
    write, options, message = BAD[case]
    with pytest.raises(ValueError, match=r"^Received: .*Expected") as caught:
        open_source(write(tmp_path), **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


class Attack:
    """Unpickling it writes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.trace)!r}, 'w').close()",)


_HEARD: list[str] | None = None
_EVENTS = ("pickle.find_class", "marshal.loads", "os.system", "subprocess.Popen", "exec")


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _HEARD is not None and event in _EVENTS:
        _HEARD.append(event)


@pytest.fixture
def heard() -> Any:
    """Return the list of what runs code, from now until the end of the test. A hook cannot be taken out again."""
    global _HEARD
    if not getattr(sys, "_ddl_hears", False):
        sys.addaudithook(_hear)
        sys._ddl_hears = True  # type: ignore[attr-defined]
    _HEARD = []
    yield _HEARD
    _HEARD = None


def pickled_folder(tmp: Path, attack: bytes) -> Path:
    (tmp / "cifar-10-batches-py").mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (tmp / "cifar-10-batches-py" / name).write_bytes(attack)
    return tmp / "cifar-10-batches-py"


def pickled_folder_of_100(tmp: Path, attack: bytes) -> Path:
    (tmp / "in").mkdir()
    for name in ("train", "test", "meta"):
        (tmp / "in" / name).write_bytes(attack)
    return tmp / "in"


def pickled_archive(tmp: Path, attack: bytes) -> Path:
    path = tmp / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        info, content = member("cifar-10-batches-py/data_batch_1", attack)
        file.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "write",
    [pickled_folder, pickled_folder_of_100, pickled_archive],
    ids=lambda write: write.__name__,
)
def test_no_pickle_is_ever_loaded(
    tmp_path: Path, heard: list[str], write: Callable[[Path, bytes], Path]
) -> None:
    trace = tmp_path / "it ran"
    path = write(tmp_path, pickle.dumps(Attack(trace)))
    heard.clear()
    with pytest.raises(
        ValueError, match=r"for Python, which is pickled.*Expected: the binary version"
    ):
        open_source(path)
    assert heard == []
    assert not trace.exists()
    pickle.loads(pickle.dumps(Attack(trace)))  # noqa: S301 (shows that the hook hears and the attack runs)
    assert "pickle.find_class" in heard
    assert trace.exists()
