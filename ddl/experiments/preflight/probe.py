"""Looks on a node whether the command, its folder and a place to write are there. Writes nothing."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from ddl.experiments.agent.attempt.launch import filled
from ddl.experiments.backends import slurm_text
from ddl.experiments.backends.backend import Backend
from ddl.experiments.backends.processes import Completed, brief
from ddl.experiments.backends.slurm_job import check_words, words_of
from ddl.experiments.backends.slurm_job import filled as filled_job
from ddl.experiments.preflight.checks import NO, OK, UNKNOWN, Check
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Experiment

_PROBE_S = 30.0
_DRY_RUN_S = 120.0
_BAD_INPUT = 2
_NOW_ONLY = "Requested node configuration is not available"  # --test-only also says so of drained nodes (measured)
_MARK = "ddl-probe"
# Setup may print anything, so answers begin with a mark. The nearest parent that exists counts for what is made later.
_LOOK = f"""
say() {{ printf '\\n{_MARK} %s %s\\n' "$1" "$2"; }}
[ -d "$1" ] && say folder yes || say folder no
place=$2
while [ ! -e "$place" ] && [ "$place" != / ]; do place=$(dirname "$place"); done
[ -d "$place" ] && [ -w "$place" ] && say writable yes || say writable no
say place "$place"
cd "$1" 2>/dev/null
[ -n "$3" ] && {{ found=$(command -v -- "$3") && say program "$found" || say program ""; }}
true
"""


@dataclass(frozen=True)
class Site:
    """Where an experiment would run on a node.

    Attributes:
        folder: Folder of its command.
        root: The store's folder there.
        is_sent: Whether the folder is sent at the submit, so that it need not be there yet.
    """

    folder: str
    root: str
    is_sent: bool


def check_place(backend: Backend, record: Experiment, site: Site) -> list[Check]:
    """Return whether folder, place to write, and command are there.

    Raises:
        Unreachable: The node did not answer.
    """
    program = "" if record.run.shell else _filled(record, site, record.run.argv[0])
    setup = _setup(backend.node, record)
    words = ["bash", "-c", f"{setup}\n{_LOOK}", "bash", site.folder, site.root, program]
    done = backend.transport.run(words, timeout_s=_PROBE_S)
    found = _answers(done.stdout)
    if not found:
        return [Check(UNKNOWN, "place", f"the look failed: {brief(done.stderr or done.stdout)}")]
    checks = [_folder(found, site), _writable(found, site)]
    if record.run.shell:
        checks.append(Check(UNKNOWN, "command", "a shell reads it when it starts"))
    elif found.get("program"):
        checks.append(Check(OK, "command", f"{program} is {found['program']}"))
    elif site.is_sent and "/" in program:
        checks.append(Check(UNKNOWN, "command", f"{program} is sent at the submit"))
    else:
        where = " after its setup" if setup else ""
        checks.append(Check(NO, "command", f"no program {program} there{where}"))
    return checks


def check_by_dry_run(backend: Backend, record: Experiment, site: Site) -> list[Check]:
    """Return what ddl's own script says to its flags and data; nothing for foreign commands.

    Raises:
        Unreachable: The node did not answer.
    """
    words = own_words(record.run.argv, record.run.own)
    if not words or record.run.shell:
        return []
    if site.is_sent:
        return [Check(UNKNOWN, "dry run", "its code and data are sent at the submit")]
    command = shlex.join([*(_filled(record, site, word) for word in words), "--dry-run", "true"])
    env = "".join(
        f"export {name}={shlex.quote(value)}\n"
        for name, value in {**backend.node.env, **record.run.env}.items()
    )
    setup = _setup(backend.node, record)
    script = f"{setup}\n{env}cd {shlex.quote(site.folder)} && exec {command}"
    done = backend.transport.run(["bash", "-c", script], timeout_s=_DRY_RUN_S)
    if done.returncode == 0:
        return [Check(OK, "dry run", f"{record.run.own} accepts its flags and data")]
    verdict = NO if done.returncode == _BAD_INPUT else UNKNOWN
    said = brief(done.stderr or done.stdout)
    return [Check(verdict, "dry run", f"status {done.returncode}: {said}")]


def check_by_scheduler(backend: Backend, record: Experiment) -> list[Check]:
    """Return what Slurm itself says to the job; nothing on other nodes. It submits none.

    Raises:
        Unreachable: The node did not answer.
    """
    if backend.node.type != "slurm":
        return []
    try:
        check_words(backend.node)
    except ValueError as error:
        return [Check(NO, "sbatch", str(error))]
    words = words_of(record, backend.node, "/tmp")
    trial = {"argv": [*words, "--test-only"], "stdin": "#!/bin/sh\ntrue\n"}
    ready = filled_job(trial, "ddl-preflight", "/tmp", "")
    return [_of_trial(backend.transport.run(ready["argv"], stdin=ready["stdin"], timeout_s=60))]


def own_words(argv: tuple[str, ...], own: str) -> list[str]:
    """Return the words of ddl's own script with its Python, without the launcher in front; [] where it has none."""
    for place, word in enumerate(argv):
        if own and posixpath.basename(word) == own and place > 0:
            return list(argv[place - 1 :])
    return []


def _of_trial(done: Completed) -> Check:
    said = brief(done.stderr or done.stdout)
    if done.returncode == 0:
        return Check(OK, "sbatch", "Slurm would take it")
    if slurm_text.is_refusal(done.stderr) and _NOW_ONLY not in done.stderr:
        return Check(NO, "sbatch", said)
    if done.returncode == 127:
        raise Unreachable(said)
    return Check(UNKNOWN, "sbatch", said)


def _setup(node: Node, record: Experiment) -> str:
    parts = [part.strip() for part in (node.setup, record.run.setup) if part.strip()]
    return "\n".join(dict.fromkeys(parts))


def _filled(record: Experiment, site: Site, word: str) -> str:
    experiment = posixpath.join(site.root, record.name or "000")
    values: Mapping[str, str] = {
        "run_dir": f"{experiment}/run",
        "experiment_dir": experiment,
        "store_dir": site.root,
        "attempt_dir": f"{experiment}/attempts/1",
        "attempt": "ddl-preflight",
        "agent": "agent.pyz",
        "number": f"{record.number:03d}",
        "name": record.name,
    }
    return filled(word, values)


def _answers(text: str) -> dict[str, str]:
    lines = [line.split(" ", 2) for line in text.splitlines() if line.startswith(f"{_MARK} ")]
    return {words[1]: words[2] if len(words) > 2 else "" for words in lines}


def _folder(found: Mapping[str, str], site: Site) -> Check:
    if found.get("folder") == "yes":
        return Check(OK, "folder", site.folder)
    if site.is_sent:
        return Check(UNKNOWN, "folder", f"{site.folder} is sent at the submit")
    return Check(NO, "folder", f"{site.folder} is no folder there")


def _writable(found: Mapping[str, str], site: Site) -> Check:
    place = found.get("place") or site.root
    if found.get("writable") == "yes":
        return Check(OK, "place", f"{place} can be written")
    return Check(NO, "place", f"{place} cannot be written")
