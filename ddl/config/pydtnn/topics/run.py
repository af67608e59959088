"""Flags of PyDTNN for the length of a training run, its batches, seed and records."""

from __future__ import annotations

from ddl.config.pydtnn.draft import Draft
from ddl.config.pydtnn.flag import NEW, ONE, THREE, Flag
from ddl.config.pydtnn.settings import Settings

_HISTORY = "RUN_DIR/history.jsonl and history.csv are always written"
_ROOT_WRITES = "rank 0 alone writes, always"

FLAGS = (
    Flag("batch_size", "int", 64, to="--per-rank-batch-size", default_3=0),
    Flag("global_batch_size", "int", 0, NEW, to="--global-batch-size"),
    Flag("num_epochs", "int", 1, to="--epochs"),
    Flag("steps_per_epoch", "int", 0, to="--steps-per-epoch"),
    Flag("evaluate", "bool", False, to="--evaluate"),
    Flag(
        "evaluate_only",
        "bool",
        False,
        NEW,
        refused="python scripts/evaluate.py MODEL --data PATH --part test, for a model that ddl or Keras has saved",
        harmless=(False,),
    ),
    Flag("random_seed", "int", 57005, (THREE,), to="--seed"),
    Flag("history_file", "text", "", (ONE,), idle=_HISTORY),
    Flag("history", "bool", False, (THREE,), idle=_HISTORY),
    Flag(
        "shared_storage", "bool", False, NEW, idle=_ROOT_WRITES, three="shared_data", default_3=True
    ),
    Flag("logger", "bool", True, (THREE,), idle="RUN_DIR/log.txt is always written"),
    Flag("traceback", "bool", True, (THREE,), idle="errors are printed, and name their rank"),
    Flag("trace_ranks", "bool", True, (THREE,), idle="errors are printed, and name their rank"),
)

_DEFAULT_BATCH = 64


def translate_run(settings: Settings, draft: Draft) -> None:
    """Translate the length of the run, its batches and its seed."""
    draft.fields["epochs"] = settings["num_epochs"]
    _translate_batch(settings, draft)
    if settings["steps_per_epoch"]:
        draft.fields["steps_per_epoch"] = settings["steps_per_epoch"]
    if settings["evaluate"]:
        draft.fields["evaluate"] = True
    if settings.has("random_seed"):
        draft.fields["seed"] = settings["random_seed"]


def _translate_batch(settings: Settings, draft: Draft) -> None:
    whole, share = settings["global_batch_size"], settings["batch_size"]
    if whole and settings.is_given("batch_size") and share:
        raise ValueError(
            f"Received: {settings.shown('batch_size')} and {settings.shown('global_batch_size')}. Expected: one of "
            "them."
        )
    if whole:
        draft.fields["global_batch_size"] = whole
    else:
        draft.fields["per_rank_batch_size"] = share or _DEFAULT_BATCH
