"""What a run directory holds before the first step: lock, plan, preprocessing, facts, and the history so far."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from ddl.data.preprocessing import NAME as PREPROCESSING
from ddl.files import read_text, write_whole
from ddl.models.from_file import FROM_FILE
from ddl.training.checkpoint.find_trained import NETWORK
from ddl.training.outputs.checks import check_outputs
from ddl.training.outputs.graph_file import NAME as GRAPH
from ddl.training.record.history import write_history
from ddl.training.record.mlperf_log import check_log_file
from ddl.training.record.run_dir import claim_run_dir
from ddl.training.record.run_facts import append_start, gather_facts
from ddl.training.run import Run
from ddl.training.stops import Unsaved

logger = logging.getLogger("ddl")


@contextlib.contextmanager
def hold_run_dir(run: Run, hosts: Sequence[str]) -> Iterator[None]:
    """Lock the run directory for this job, and write plan, facts and history. Only rank 0 calls it.

    Raises:
        ValueError: it holds another run, another job is training in it, or it cannot be written.
    """
    folder = run.plan.run_dir
    check_log_file(run.plan)
    check_outputs(run.plan)
    with claim_run_dir(folder, resume=run.plan.resume is not None):
        try:
            write_origin(run, hosts)
        except OSError as error:
            raise ValueError(
                f"Received: run_dir={folder}, which cannot be written ({error.strerror or error}). Expected: a folder "
                "that you may write, with room for checkpoints."
            ) from error
        yield


@contextlib.contextmanager
def hold_again(run: Run, hosts: Sequence[str]) -> Iterator[None]:
    """Make a run directory again that somebody deleted during the run, and lock it. Only rank 0 calls it.

    Raises:
        Unsaved: another run is there now, or it cannot be made.
    """
    folder = run.plan.run_dir
    with contextlib.ExitStack() as held:
        try:
            plan_file = folder / "plan.json"
            if plan_file.exists() and read_text(plan_file) != run.plan.to_json():
                raise ValueError("another run is there now")
            logger.warning(
                "The run directory %s, or its lock, was deleted during the run. It is made again; earlier checkpoints, "
                "log and pictures may be lost.",
                folder,
            )
            held.enter_context(claim_run_dir(folder, resume=True))
            write_origin(run, hosts)
        except (ValueError, OSError) as error:
            raise Unsaved(
                f"The run directory {folder} was deleted during the run, and cannot be made again: {error} Start the "
                "run again."
            ) from error
        yield


def write_origin(run: Run, hosts: Sequence[str]) -> None:
    """Write plan, model, preprocessing, facts and history into a locked run directory."""
    plan, folder = run.plan, run.plan.run_dir
    texts = {
        "plan.json": plan.to_json(),
        "model.txt": run.layers,
        PREPROCESSING: run.preprocessing.to_json(),
        **({GRAPH: run.graph} if plan.graph else {}),
    }
    if plan.model == FROM_FILE:
        texts[NETWORK] = plan.model_option["layers"]
    for name, text in texts.items():
        write_whole(folder / name, functools.partial(Path.write_text, data=text, encoding="utf-8"))
    append_start(folder, gather_facts(hosts))
    write_history(folder, run.history)
