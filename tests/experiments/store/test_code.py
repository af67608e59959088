"""The code of an experiment is that of its own folder, and frozen: editing it afterwards changes nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ddl.experiments.spec.records import Code, Experiment, Run
from ddl.experiments.store.code import snapshot
from ddl.experiments.store.code.freeze import folder_of, freeze
from ddl.experiments.store.store import add, create_store
from tests.experiments.store.test_adding import Spec

LOGO = bytes(range(256))


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    command = ["git", "-C", str(folder), *who, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def place(tmp_path):
    """Return a folder with a script, a setting, data and an environment."""
    folder = tmp_path / "work"
    write(folder / "train.py", "print('first')\n")
    write(folder / "lib/model.py", "SIZE = 1\n")
    write(folder / "data/images/1.png", "not copied")
    write(folder / ".venv/pyvenv.cfg", "")
    write(folder / ".venv/lib/site.py", "")
    (folder / "logo.bin").write_bytes(LOGO)
    return folder


@pytest.fixture
def repository(place):
    """Return the same folder, with a commit of all but data and the environment."""
    git(place, "init", "-q")
    write(place / ".gitignore", "data/\n.venv/\nexperiments/\n")
    git(place, "add", ".")
    git(place, "commit", "-qm", "first")
    return place


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def store_in(folder: Path):
    return create_store(folder / "experiments/cells", "cells")


def record(folder: Path, *argv: str, policy: str = "frozen") -> Experiment:
    run = Run(argv=argv or ("python3", "train.py"), folder=str(folder))
    return Experiment(label="a", id="0" * 16, run=run, code=Code(policy=policy))


def added(store, folder: Path, *argv: str, policy: str = "frozen") -> Experiment:
    return add(store, Spec(folder / "cells.yaml"), [record(folder, *argv, policy=policy)]).new[0]


def copy_of(store, frozen) -> Path:
    return store.code / frozen.code.snapshot


def test_a_script_that_is_edited_afterwards_runs_as_it_was(repository):
    store = store_in(repository)
    stored = added(store, repository)
    write(repository / "train.py", "print('second')\n")
    folder = folder_of(store.path, stored)
    done = subprocess.run(stored.run.argv, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "first\n"


def test_an_edited_script_that_git_does_not_know_runs_as_it_was(repository):
    write(repository / "other/new.py", "print('first')\n")
    store = store_in(repository)
    folder = folder_of(store.path, added(store, repository))
    write(repository / "other/new.py", "print('second')\n")
    assert (folder / "other/new.py").read_text() == "print('first')\n"


def test_the_folder_moves_with_the_store(repository, tmp_path):
    store = store_in(repository)
    stored = added(store, repository)
    assert stored.run.folder.startswith("{store_dir}/code/")
    moved = tmp_path / "elsewhere"
    store.path.rename(moved)
    assert (folder_of(moved, stored) / "train.py").read_text() == "print('first')\n"


def test_braces_in_a_path_are_no_placeholders(tmp_path):
    folder = tmp_path / "{name}"
    write(folder / "train.py", "")
    store = create_store(tmp_path / "store", "x")
    assert folder_of(store.path, added(store, folder, policy="live")) == folder


def test_commit_branch_and_changes_are_those_of_the_experiments_folder(repository):
    write(repository / "lib/model.py", "SIZE = 2\n")
    code = freeze(store_in(repository), repository, "frozen").code
    assert (code.commit, code.branch) == (git(repository, "rev-parse", "HEAD"), "main")
    assert code.dirty
    assert code.source == str(repository)


def test_a_clean_folder_has_no_patch(repository):
    code = freeze(store_in(repository), repository, "frozen").code
    assert (code.dirty, code.patch) == (False, None)


def test_the_patch_restores_what_differed_also_in_binary_files(repository, tmp_path):
    (repository / "logo.bin").write_bytes(LOGO[::-1])
    write(repository / "train.py", "print('changed')\r\n")
    (repository / "lib/model.py").unlink()
    git(repository, "config", "diff.noprefix", "true")
    store = store_in(repository)
    frozen = freeze(store, repository, "live")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    git(clone, "checkout", "-q", frozen.code.commit)
    git(clone, "apply", "--whitespace=nowarn", str(store.code / frozen.code.patch))
    assert (clone / "logo.bin").read_bytes() == LOGO[::-1]
    assert (clone / "train.py").read_bytes() == b"print('changed')\r\n"
    assert not (clone / "lib/model.py").exists()


def test_staged_changes_are_in_the_patch(repository):
    write(repository / "train.py", "print('staged')\n")
    git(repository, "add", "train.py")
    store = store_in(repository)
    frozen = freeze(store, repository, "live")
    assert "staged" in (store.code / frozen.code.patch).read_text()


def test_the_copy_has_changed_files_as_they_are(repository):
    write(repository / "lib/model.py", "SIZE = 2\n")
    store = store_in(repository)
    copy = copy_of(store, freeze(store, repository, "frozen"))
    assert (copy / "lib/model.py").read_text() == "SIZE = 2\n"
    assert not (copy / "lib/model.py").is_symlink()


def test_data_and_environments_are_links_to_the_originals(repository):
    store = store_in(repository)
    copy = copy_of(store, freeze(store, repository, "frozen"))
    assert (copy / "data").readlink() == repository / "data"
    assert (copy / ".venv").readlink() == repository / ".venv"
    assert not os.path.lexists(copy / ".git")


def test_the_store_itself_is_never_in_the_copy(repository):
    (repository / ".gitignore").unlink()
    store = store_in(repository)
    write(repository / "experiments/plot.py", "")
    for _ in range(2):  # the second time the store holds code itself
        copy = copy_of(store, freeze(store, repository, "frozen"))
        assert sorted(path.name for path in (copy / "experiments").iterdir()) == ["plot.py"]


def test_other_stores_are_not_copied_either(place):
    other = create_store(place / "experiments/other", "other")
    write(other.path / "code/0123/train.py", "")
    store = store_in(place)
    copy = copy_of(store, freeze(store, place, "frozen"))
    assert not (copy / "experiments/other/code").exists() or (copy / "experiments").is_symlink()


def test_the_same_code_is_stored_once(repository):
    store = store_in(repository)
    names = {freeze(store, repository, "frozen").code.snapshot for _ in range(3)}
    assert [path.name for path in store.code.iterdir()] == [*names]


def test_changed_code_is_another_copy(repository):
    store = store_in(repository)
    first = freeze(store, repository, "frozen").code.snapshot
    write(repository / "train.py", "print('second')\n")
    second = freeze(store, repository, "frozen").code.snapshot
    assert first != second
    assert (store.code / first / "train.py").read_text() == "print('first')\n"


def test_data_that_comes_later_is_linked_in_the_same_copy(repository):
    store = store_in(repository)
    copy = copy_of(store, freeze(store, repository, "frozen"))
    write(repository / "data2.h5", "x" * 10)
    git(repository, "config", "core.excludesFile", "/dev/null")
    assert copy_of(store, freeze(store, repository, "frozen")) == copy
    assert (copy / "data2.h5").readlink() == repository / "data2.h5"


def test_a_folder_within_a_repository_runs_within_its_copy(repository):
    store = store_in(repository)
    stored = added(store, repository / "lib")
    folder = folder_of(store.path, stored)
    assert (folder / "model.py").exists()
    assert (folder / "../train.py").resolve().read_text() == "print('first')\n"


def test_programs_stay_programs_and_copies_cannot_be_edited_by_mistake(repository):
    write(repository / "run", "#!/bin/sh\necho hi\n")
    (repository / "run").chmod(0o755)
    store = store_in(repository)
    copy = copy_of(store, freeze(store, repository, "frozen"))
    assert (copy / "run").stat().st_mode & 0o777 == 0o555
    assert (copy / "train.py").stat().st_mode & 0o777 == 0o444


def test_links_within_the_code_stay_within_the_copy(repository):
    (repository / "best.py").symlink_to("train.py")
    (repository / "hosts").symlink_to("/etc/hosts")
    git(repository, "add", "best.py", "hosts")
    store = store_in(repository)
    copy = copy_of(store, freeze(store, repository, "frozen"))
    assert (copy / "best.py").resolve() == copy / "train.py"
    assert str((copy / "hosts").readlink()) == "/etc/hosts"


def test_a_tracked_file_that_was_deleted_is_no_trouble(repository):
    (repository / "lib/model.py").unlink()
    store = store_in(repository)
    copy = copy_of(store, freeze(store, repository, "frozen"))
    assert not (copy / "lib/model.py").exists()


def test_names_with_any_characters_are_copied(repository):
    name = os.fsdecode(b'a "b"\n\xff;.py')
    write(repository / name, "x = 1\n")
    git(repository, "add", ".")
    store = store_in(repository)
    copy = copy_of(store, freeze(store, repository, "frozen"))
    assert (copy / name).read_text() == "x = 1\n"


def test_without_git_sources_are_copied_and_the_rest_is_linked(place):
    write(place / "config/a.yaml", "x: 1\n")
    write(place / "results/metrics.json", "{}")
    write(place / "settings.json", "{}")
    store = store_in(place)
    frozen = freeze(store, place, "frozen")
    copy = copy_of(store, frozen)
    copied = {"train.py", "lib/model.py", "config/a.yaml", "settings.json"}
    assert {
        str(path.relative_to(copy))
        for path in copy.rglob("*")
        if path.is_file() and not path.is_symlink()
    } == copied
    assert (copy / "results").readlink() == place / "results"
    assert (copy / "logo.bin").readlink() == place / "logo.bin"
    assert frozen.code.commit is None


def test_large_files_without_git_are_linked(place):
    write(place / "large.py", "#" * (1 << 20) + "\n")
    store = store_in(place)
    copy = copy_of(store, freeze(store, place, "frozen"))
    assert (copy / "large.py").is_symlink()


def test_a_small_file_that_the_command_names_is_frozen_whatever_it_is_called(place):
    write(place / "splits/fold1.weights", "1 2 3")
    store = store_in(place)
    words = ("python3", "train.py", "--split=splits/fold1.weights", "--data", "/etc/hosts", "x\0y")
    copy = copy_of(store, freeze(store, place, "frozen", words))
    write(place / "splits/fold1.weights", "4 5 6")
    assert (copy / "splits/fold1.weights").read_text() == "1 2 3"


def test_a_repository_further_up_that_tracks_nothing_here_does_not_count(place):
    write(place.parent / "notes.txt", "")
    git(place.parent, "init", "-q")
    git(place.parent, "add", "notes.txt")
    git(place.parent, "commit", "-qm", "notes")
    frozen = freeze(store_in(place), place, "frozen")
    assert frozen.code.commit is None
    assert "No git repository tracks" in frozen.lines[0]


def test_a_repository_without_a_commit_is_no_trouble(place):
    git(place, "init", "-q")
    git(place, "add", "train.py")
    frozen = freeze(store_in(place), place, "frozen")
    assert (frozen.code.commit, frozen.code.dirty) == (None, False)
    assert "no commit yet" in frozen.lines[0]


def test_git_hooks_variables_select_no_other_repository(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    assert freeze(store_in(repository), repository, "frozen").code.commit is not None


def test_without_the_program_git_code_is_copied_all_the_same(repository, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    store = store_in(repository)
    frozen = freeze(store, repository, "frozen")
    assert frozen.code.commit is None
    assert (copy_of(store, frozen) / "train.py").exists()


def test_live_code_is_recorded_and_not_copied(repository):
    store = store_in(repository)
    stored = added(store, repository, policy="live")
    assert (stored.code.snapshot, stored.run.folder) == (None, str(repository))
    assert stored.code.commit == git(repository, "rev-parse", "HEAD")
    assert not store.code.exists()


def test_too_much_code_is_refused_with_its_size(place, monkeypatch):
    monkeypatch.setattr(snapshot, "MOST_BYTES", 8)
    store = store_in(place)
    with pytest.raises(
        ValueError, match=r"code in .* of more than 0 MiB\. Expected: .*\.gitignore"
    ):
        freeze(store, place, "frozen")
    assert list(store.code.iterdir()) == []


def test_too_many_files_are_refused(place, monkeypatch):
    monkeypatch.setattr(snapshot, "MOST_FILES", 1)
    with pytest.raises(ValueError, match="of 2 files"):
        freeze(store_in(place), place, "frozen")


def test_a_folder_of_a_million_files_is_refused_soon(place, monkeypatch):
    monkeypatch.setattr("ddl.experiments.store.code.files._MOST_ENTRIES", 5)
    with pytest.raises(ValueError, match=r"more than 5 files.*`code: live`"):
        freeze(store_in(place), place, "frozen")


def test_a_large_folder_of_data_is_not_looked_through(place, monkeypatch):
    monkeypatch.setattr("ddl.experiments.store.code.files._LARGE_FOLDER", 3)
    for number in range(5):
        write(place / f"pages/{number}.py", "")
    store = store_in(place)
    copy = copy_of(store, freeze(store, place, "frozen"))
    assert (copy / "pages").is_symlink()


def test_its_size_is_said(repository):
    lines = freeze(store_in(repository), repository, "frozen").lines
    assert lines[0].startswith("Commit ")
    assert lines[1].startswith("4 files of code, ")


def test_no_link_leads_into_a_circle(repository):
    store = store_in(repository)
    copy = copy_of(store, freeze(store, repository, "frozen"))
    assert not os.path.lexists(copy / "experiments")


def test_a_store_behind_a_link_is_known_as_itself(repository, tmp_path):
    (tmp_path / "home").symlink_to(repository)
    (repository / ".gitignore").unlink()
    store = store_in(tmp_path / "home")
    for _ in range(2):
        copy = copy_of(store, freeze(store, tmp_path / "home", "frozen"))
        assert not os.path.lexists(copy / "experiments")


@pytest.mark.parametrize("folder", ["", "lib"])
@pytest.mark.parametrize("with_git", [True, False])
def test_adding_again_says_that_kept_ones_run_older_code(place, with_git, folder):
    if with_git:
        git(place, "init", "-q")
        git(place, "add", "train.py", "lib")
    write(place / "cells.yaml", "name: cells")
    store = store_in(place)
    spec = Spec(place / "cells.yaml")
    add(store, spec, [record(place / folder)])
    write(place / "cells.yaml", "name: cells  # grown")
    assert add(store, spec, [record(place / folder)]).lines == ()
    write(place / "lib/model.py", "SIZE = 2\n")
    (line,) = add(store, spec, [record(place / folder)]).lines
    assert line.startswith("1 kept one runs its code as it was when added; ")


def test_a_file_called_store_json_alone_makes_no_store(place):
    write(place / "lib/store.json", "{}")
    store = store_in(place)
    copy = copy_of(store, freeze(store, place, "frozen"))
    assert (copy / "lib/model.py").exists()
    assert (copy / "lib/store.json").read_text() == "{}"
