"""What differs between experiments."""

from __future__ import annotations

import pytest

from ddl.experiments.comparing.code_differences import Changed, patch_lines, snapshot_differences
from ddl.experiments.comparing.differences import differences
from ddl.experiments.spec.records import Code, Run
from tests.experiments.made_store import MadeStore

PATCH = """\
diff --git a/train.py b/train.py
index 1..2 100644
--- a/train.py
+++ b/train.py
@@ -1,3 +1,4 @@
 import os
-rate = 1
+rate = 2
+--- more
--- not a header
diff --git a/x.bin b/x.bin
GIT binary patch
literal 3
+cmZQz

"""


@pytest.fixture
def made(tmp_path):
    return MadeStore(tmp_path / "store")


def found(made):
    view = made.view()
    return {(d.part, d.name): d.values for d in differences(view, view.experiments)}


def test_only_what_differs_is_told(made):
    for rate in (0.1, 0.2):
        made.experiment("planned", {"lr": rate, "seed": 3}, argv=("train", "--lr", str(rate)))
    assert found(made) == {("settings", "lr"): (0.1, 0.2)}


def test_a_setting_that_one_does_not_have_is_none(made):
    made.experiment("planned", {"lr": 1}, argv=("train",))
    made.experiment("planned", {}, argv=("train",))
    assert found(made)["settings", "lr"] == (1, None)


def test_a_command_is_told_where_settings_do_not_explain_it(made):
    made.experiment("planned", {"lr": 1}, argv=("train", "--lr", "1"))
    made.experiment("planned", {"lr": 2}, argv=("train", "--lr", "2", "--fast"))
    assert found(made)["run", "command"] == ("train --lr 1", "train --lr 2 --fast")


def test_words_of_a_shells_line_are_explained_by_settings_too(made):
    for rate in (1, 2):
        run = Run(argv=(f"train --lr {rate} | tee log",), shell=True)
        made.experiment("planned", {"lr": rate}, run=run)
    assert ("run", "command") not in found(made)


def test_results_are_the_last_and_the_best_ones(made):
    one, two = (made.experiment("finished", {"lr": n}) for n in (1, 2))
    made.history(one, [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 3.0}])
    made.history(two, [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": "NaN"}])
    told = found(made)
    assert told["results", "last loss"] == (3.0, "NaN")
    assert told["results", "best loss"] == (1.0, 2.0)
    assert ("results", "best loss, epoch") not in told


def snapshot(made, name, files):
    for path, text in files.items():
        place = made.store.code / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)


def test_commits_and_files_of_frozen_code_are_compared(made):
    snapshot(
        made, "aaa", {"train.py": b"a\nb\nc\n", "sub/old.py": b"", "same.py": b"x", "b": b"\0"}
    )
    snapshot(made, "bbb", {"train.py": b"a\nB\nc\nd\n", "new.py": b"", "same.py": b"x", "b": b"1"})
    (made.store.code / "bbb" / "data").symlink_to(made.path)
    (made.store.code / "p.patch").write_text(PATCH)
    made.experiment("planned", {}, code=Code(commit="1" * 40, snapshot="aaa"))
    made.experiment("planned", {}, code=Code(commit="1" * 40, snapshot="aaa"))
    code = Code(commit="2" * 40, dirty=True, patch="p.patch", snapshot="bbb")
    made.experiment("planned", {}, code=code)
    assert found(made) == {
        ("code", "commit"): ("1" * 12, "1" * 12, f"{'2' * 12} +2 -2"),
        ("code", "b"): ("same", "same", "differs"),
        ("code", "new.py"): ("same", "same", "new"),
        ("code", "sub/old.py"): ("same", "same", "missing"),
        ("code", "train.py"): ("same", "same", "+2 -1"),
    }


def test_lines_of_a_patch_are_counted_without_headers_and_binary_files(tmp_path):
    (tmp_path / "p").write_text(PATCH)
    assert patch_lines(tmp_path / "p") == Changed(2, 2)
    assert patch_lines(tmp_path / "none") is None


def test_a_missing_copy_has_no_files(tmp_path):
    assert snapshot_differences(tmp_path / "a", tmp_path / "b") == {}
