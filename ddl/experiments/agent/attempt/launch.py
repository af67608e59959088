"""The command of an experiment: its words, its environment, its start in a session of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Mapping

from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.whole import read_json

PROFILE_NAME = "profile.pstats"

_PLACE = re.compile(
    r"\{\{|\}\}|\{(run_dir|experiment_dir|store_dir|attempt_dir|attempt|agent|number|name)\}"
)
_PYTHON = re.compile(r"python[0-9.]*")
_PYTHON_SWITCHES = ("-u", "-O", "-OO", "-B", "-E", "-s", "-I")
_PROFILED_STEPS = "20"
_GRACE_S = 120.0
_KEPT = ("DDL_NODE_HOME", "DDL_AGENT_PACE", "DDL_FAULT", "SLURM_CONF")


def places(
    attempt: AttemptFolder, record: Mapping[str, Any], name: str, agent: str
) -> dict[str, str]:
    """Return what stands for each placeholder of a command on this machine."""
    experiment = attempt.experiment
    return {
        "run_dir": str(experiment.run_dir),
        "experiment_dir": str(experiment.path),
        "store_dir": str(experiment.store),
        "attempt_dir": str(attempt.path),
        "attempt": name,
        "agent": agent,
        "number": f"{int(record.get('number') or 0):03d}",
        "name": str(record.get("name") or experiment.path.name),
    }


def filled(text: str, values: Mapping[str, str], quote: bool = False) -> str:
    """Return a text with its placeholders filled; doubled braces become single ones. Shell text gets quoted values."""

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        return shlex.quote(values[match[1]]) if quote else values[match[1]]

    return _PLACE.sub(value, text)


def words_of(run: Mapping[str, Any], values: Mapping[str, str], profile: bool = False) -> list[str]:
    """Return the words of the process to start. Text of `setup` and shell commands go to a shell of their own."""
    is_shell = bool(run.get("shell"))
    words = [filled(str(word), values, quote=is_shell) for word in run["argv"]]
    if profile and not is_shell:
        path = str(Path(values["attempt_dir"]) / PROFILE_NAME)
        words = profiled(words, path, str(run.get("own") or ""))
    setup = str(run.get("setup") or "").strip()
    if not is_shell and not setup:
        return words
    shell = shutil.which("bash") or "/bin/sh"
    if is_shell:
        return [shell, "-c", f"{setup}\n{words[0]}" if setup else words[0]]
    return [shell, "-c", f'{setup}\nexec "$@"', shell, *words]


def profiled(words: list[str], path: str, own: str = "") -> list[str]:
    """Return the words of a Python command with its profiler: ddl's own scripts have one, others get cProfile.

    Commands that are no `python SCRIPT` stay as they are: only their author knows where their time goes.
    """
    if own:
        has_flag = any(word.partition("=")[0] == "--profile" for word in words)
        return words if has_flag else [*words, "--profile", _PROFILED_STEPS]
    for place, word in enumerate(words):
        if not _PYTHON.fullmatch(Path(word).name):
            continue
        script = place + 1
        while script < len(words) and words[script] in _PYTHON_SWITCHES:
            script += 1
        if script >= len(words) or (words[script].startswith("-") and words[script] != "-m"):
            return words
        return [*words[:script], "-m", "cProfile", "-o", path, *words[script:]]
    return words


def record_with_node(record: dict[str, Any], intent: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record whose command has what the intent says of its node: `setup` and `env`."""
    run = dict(record["run"])
    setups = [str(part) for part in (intent.get("setup"), run.get("setup")) if part]
    run["setup"] = "\n".join(dict.fromkeys(setups))
    run["env"] = {**(intent.get("env") or {}), **(run.get("env") or {})}
    return {**record, "run": run}


def environment(
    attempt: AttemptFolder,
    record: Mapping[str, Any],
    name: str,
    agent: str,
    values: Mapping[str, str],
) -> dict[str, str]:
    """Return the environment of the command."""
    run = record["run"]
    environ = dict(os.environ)
    environ.setdefault("PYTHONUNBUFFERED", "1")  # else what is watched on stdout comes late
    given = run.get("env") or {}
    environ.update({str(key): filled(str(value), values) for key, value in given.items()})
    environ.update(
        DDL_EXPERIMENT=values["name"],
        DDL_EXPERIMENT_DIR=str(attempt.experiment.path),
        DDL_ATTEMPT=name,
        DDL_ATTEMPT_DIR=str(attempt.path),
        DDL_RUN_DIR=str(attempt.experiment.run_dir),
        DDL_AGENT=agent,
        DDL_STORE=str(attempt.experiment.store),
        DDL_PARAMETERS=json.dumps(record.get("parameters") or {}),
    )
    return environ


def folder_of(record: Mapping[str, Any], values: Mapping[str, str]) -> Path:
    """Return the folder that the command runs in."""
    return Path(filled(str(record["run"].get("folder") or values["run_dir"]), values))


def start(
    words: list[str], environ: dict[str, str], folder: Path, attempt: AttemptFolder
) -> subprocess.Popen[bytes]:
    """Start the command in a session of its own, with its output appended to the attempt's logs.

    Raises:
        OSError: it cannot be started.
    """
    with attempt.out_log.open("ab") as out, attempt.err_log.open("ab") as err:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=str(folder),
            env=environ,
            start_new_session=True,
            close_fds=True,
        )


def record_of(attempt: AttemptFolder) -> dict[str, Any]:
    """Return the experiment's record, {} where it cannot be used."""
    record = read_json(attempt.experiment.experiment)
    run = record.get("run")
    usable = isinstance(run, dict) and isinstance(run.get("argv"), list) and bool(run["argv"])
    return record if usable else {}


def outer_environment() -> dict[str, str]:
    """Return this process's environment without what belongs to one attempt or one job: for runners and successors.

    Slurm hands the submitter's variables on, and a restart count of this job would be taken for the next one's.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or not name.startswith(("DDL_", "SLURM_", "SLURMD_"))
    }


def stop_signal(run: Mapping[str, Any]) -> int:
    """Return the signal at which the command writes a checkpoint and ends."""
    return int(getattr(signal, f"SIG{run.get('stop_signal') or 'TERM'}", signal.SIGTERM))


def grace_s(run: Mapping[str, Any]) -> float:
    """Return how long the command may take to end after that signal."""
    return float(run["stop_grace_s"]) if run.get("stop_grace_s") is not None else _GRACE_S


def says_75(run: Mapping[str, Any], attempt: AttemptFolder) -> bool:
    """Return whether the command tells by its status whether it was stopped early, as ddl's own scripts do."""
    is_own = bool(run.get("own")) or run.get("stop_signal") == "USR1"
    return is_own or (attempt.experiment.run_dir / "plan.json").exists()


def limit_s(intent: Mapping[str, Any], record: Mapping[str, Any]) -> float | None:
    """Return after how many seconds the command is to stop for its successor, None for never.

    A scheduler ends the job itself, and warns by a signal: then this is for the case that the warning is lost, and
    comes a little later than the warning would.
    """
    limit = intent.get("time_limit_s") or (record.get("needs") or {}).get("time_s")
    if not limit:
        return None
    warning_s = intent.get("signal_before_s")
    if warning_s is None and intent.get("chain") != "agent":
        return float(limit)
    late_s = grace_s(record["run"]) + 30 if warning_s is None else 0.75 * float(warning_s)
    return float(limit) - min(late_s, float(limit) / 4)
