"""The agent's command line.

python3 agent.pyz run ATTEMPT_DIR                      run an attempt in the foreground
python3 agent.pyz enqueue ATTEMPT_DIR... [--slots N] [--gpus N] [--priority P]    put attempts into this machine's queue
python3 agent.pyz stop ATTEMPT_DIR [--how stop|pause|kill] [--by WHO] [--why TEXT]
python3 agent.pyz look ATTEMPT_DIR...                  what is known of attempts, as JSON
python3 agent.pyz node [FOLDER]                        what this machine has, as JSON
python3 agent.pyz started [NAME=VALUE...] [--pid N]    a script submitted by hand begins; prints its folder
python3 agent.pyz record NAME=NUMBER...                it reports values, such as epoch=3 loss=0.31
python3 agent.pyz finished [--status N]                it has ended

The last three find their experiment by $DDL_EXPERIMENT_DIR, or by --store STORE --name NAME.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Callable

BAD_INPUT = 2

_FLAGS = {
    "run": (),
    "enqueue": ("slots", "gpus", "priority"),
    "stop": ("how", "by", "why"),
    "look": (),
    "node": (),
    "started": ("store", "name", "pid"),
    "record": ("store", "name"),
    "finished": ("store", "name", "status"),
    "runner": ("detach",),
}
_SWITCHES = ("detach",)


def main(argv: list[str] | None = None, agent: str = "", sha: str = "") -> int:
    """Do what the words say. Return the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(__doc__ or "")
        return 0 if words else BAD_INPUT
    try:
        verb, rest = words[0], words[1:]
        if verb not in _FLAGS:
            raise ValueError(f"Received: {verb}. Expected one of: {', '.join(_FLAGS)}.")
        places, flags = _parsed(verb, rest)
        return _VERBS[verb](places, flags, agent, sha)
    except ValueError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(
            f"Received: {error.filename or verb}: {error.strerror}. Expected: a place that can be used."
        )
    except KeyboardInterrupt:
        return 130


def _parsed(verb: str, words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return what stands alone, and what stands after flags."""
    places: list[str] = []
    flags: dict[str, str] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("--"):
            places.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        if name not in _FLAGS[verb]:
            known = ", ".join(f"--{flag}" for flag in _FLAGS[verb]) or "no flags"
            raise ValueError(f"Received: {word}. Expected: {known}.")
        if not equals and name not in _SWITCHES:
            if not left:
                raise ValueError(f"Received: {word} without a value. Expected: {word} VALUE.")
            value = left.pop(0)
        flags[name] = value
    return places, flags


def _number(flags: dict[str, str], name: str) -> int | None:
    text = flags.get(name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"Received: --{name} {text}. Expected: a whole number.") from None


def _folders(places: list[str]) -> list[Path]:
    """Return the folders of attempts. Their names are numbers."""
    for place in places:
        if not Path(place).name.isdigit():
            raise ValueError(f"Received: {place}. Expected: a folder attempts/N of an experiment.")
    if not places:
        raise ValueError("Received: no folder. Expected: the folder of an attempt.")
    return [Path(place) for place in places]


def _run(places: list[str], flags: dict[str, str], agent: str, sha: str) -> int:
    from ddl.experiments.agent.attempt.job import run

    if len(_folders(places)) != 1:
        raise ValueError(f"Received: {len(places)} folders. Expected: one.")
    return run(places[0], agent, sha)


def _enqueue(places: list[str], flags: dict[str, str], agent: str, sha: str) -> int:
    from ddl.experiments.agent.runner.queue import enqueue

    slots = _number(flags, "slots")
    if slots is not None and slots < 1:
        raise ValueError(f"Received: --slots {slots}. Expected: at least 1.")
    gpus = _number(flags, "gpus")
    if gpus is not None and (gpus < 0 or slots is None):
        raise ValueError(f"Received: --gpus {gpus}. Expected: at least 0, with --slots.")
    return _show(enqueue(_folders(places), slots, gpus, _number(flags, "priority")))


def _stop(places: list[str], flags: dict[str, str], agent: str, sha: str) -> int:
    from ddl.experiments.agent.look import stop

    how, by, why = flags.get("how", "stop"), flags.get("by", "user"), flags.get("why", "")
    return _show(
        {k: v for folder in _folders(places) for k, v in stop(folder, how, by, why).items()}
    )


def _look(places: list[str], flags: dict[str, str], agent: str, sha: str) -> int:
    from ddl.experiments.agent.look import look

    return _show(look(_folders(places)))


def _node(places: list[str], flags: dict[str, str], agent: str, sha: str) -> int:
    from ddl.experiments.agent.node.facts import facts
    from ddl.experiments.agent.runner.queue import node_home, state_of_runner

    folder = Path(places[0]) if places else Path.home()
    return _show({**facts(folder.absolute()), "runner": state_of_runner(node_home())})


def _runner(places: list[str], flags: dict[str, str], agent: str, sha: str) -> int:
    from ddl.experiments.agent.runner.runner import main as run_queue

    return run_queue("detach" in flags)


def _started(places: list[str], flags: dict[str, str], agent: str, sha: str) -> int:
    from ddl.experiments.agent.hand.script import started

    return started(places, flags)


def _record(places: list[str], flags: dict[str, str], agent: str, sha: str) -> int:
    from ddl.experiments.agent import reports

    if reports.is_beside_agent() and "store" not in flags:
        return reports.record(places)
    from ddl.experiments.agent.hand.script import record

    return record(places, flags)


def _finished(places: list[str], flags: dict[str, str], agent: str, sha: str) -> int:
    from ddl.experiments.agent.hand.script import finished

    return finished(places, flags)


_VERBS: dict[str, Callable[[list[str], dict[str, str], str, str], int]] = {
    "run": _run,
    "enqueue": _enqueue,
    "stop": _stop,
    "look": _look,
    "node": _node,
    "started": _started,
    "record": _record,
    "finished": _finished,
    "runner": _runner,
}


def _show(value: dict[str, Any]) -> int:
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True) + "\n")
    return 0


def _complain(line: str) -> int:
    from ddl.plain_text import tell

    tell(f"agent: {line}")
    return BAD_INPUT
