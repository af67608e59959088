"""Flags of PyDTNN for processes, devices, transfer and measurement."""

from __future__ import annotations

from ddl.config.pydtnn.draft import Draft
from ddl.config.pydtnn.flag import NEW, OLD, SEED, THREE, Flag
from ddl.config.pydtnn.settings import Settings

_OVERLAP = "gradients are always reduced during the backward pass, in buckets"
_DEVICES = "TensorFlow and Horovod find GPUs by themselves"
_LOCAL = "weights that are the same after each step; local steps are another system"
_LOCAL_PARTS = "it belongs to --model-sync-freq"
_WATTS = "no power meter: --profile measures time"
_MODEL = "python scripts/benchmark.py project computes step times of other clusters"
_FOUND = "it is found, and stands in RUN_DIR/facts.json"
_SECRET = "gradients as they are; nothing is encrypted"

FLAGS = (
    Flag("parallel", "text", "", OLD, to="number of ranks"),
    Flag("parallel_data", "bool", False, (THREE,), to="number of ranks"),
    Flag("blocking_mpi", "bool", True, (SEED,), idle=_OVERLAP),
    Flag("non_blocking_mpi", "bool", False, OLD, idle=_OVERLAP),
    Flag("use_blocking_mpi", "bool", True, (THREE,), idle=_OVERLAP),
    Flag(
        "parallel_pipeline",
        "bool",
        False,
        (THREE,),
        refused="gradients of the same step; delayed ones are another system",
        harmless=(False,),
    ),
    Flag("use_mpi_buffers", "bool", None, (THREE,), idle="Horovod sends buffers"),
    Flag("model_sync_freq", "int", 0, (THREE,), refused=_LOCAL, harmless=(0,)),
    Flag("model_sync_algo", "text", "avg", (THREE,), idle=_LOCAL_PARTS),
    Flag("model_sync_participation", "text", "all", (THREE,), idle=_LOCAL_PARTS),
    Flag("model_sync_min_avail", "int", 0, (THREE,), idle=_LOCAL_PARTS),
    Flag("initial_model_sync", "bool", True, (THREE,), idle="weights are the same at the start"),
    Flag("final_model_sync", "bool", True, (THREE,), idle="weights are the same at the end"),
    Flag("model_sync_quantize", "bool", False, (THREE,), to="--compression"),
    Flag("model_sync_dtype", "text", "float16", (THREE,), to="--compression"),
    Flag("encryption", "text", "", (THREE,), refused=_SECRET, harmless=("",)),
    Flag("encryption_slots", "int", 13, (THREE,), idle="it belongs to --encryption"),
    Flag("encryption_scale", "int", 40, (THREE,), idle="it belongs to --encryption"),
    Flag("encryption_security", "int", 128, (THREE,), idle="it belongs to --encryption"),
    Flag("enable_gpu", "bool", False, OLD, idle=_DEVICES),
    Flag("enable_gpudirect", "bool", False, NEW, idle=_DEVICES, three="use_gpudirect"),
    Flag("enable_nccl", "bool", False, NEW, idle=_DEVICES, three="use_nccl"),
    Flag("use_mpi_cuda", "bool", False, (THREE,), idle=_DEVICES),
    Flag(
        "enable_cudnn_auto_conv_alg",
        "bool",
        True,
        NEW,
        idle=_DEVICES,
        three="use_cudnn_auto_conv_algo",
    ),
    Flag("tracing", "bool", False, to="--profile"),
    Flag("tracer_output", "text", "", NEW, idle="traces are in RUN_DIR/profile"),
    *(
        Flag(f"tracer_pmlib_{what}", kind, default, NEW, refused=_WATTS, harmless=(default,))
        for what, kind, default in (
            ("server", "text", "127.0.0.1"),
            ("port", "int", 6526),
            ("device", "text", ""),
        )
    ),
    Flag("profile", "bool", False, to="--profile"),
    *(
        Flag(name, "float", default, NEW, idle=_MODEL)
        for name, default in (
            ("cpu_speed", 4e12),
            ("memory_bw", 50e9),
            ("network_bw", 1e9),
            ("network_lat", 0.5e-6),
        )
    ),
    Flag("network_alg", "text", "vdg", NEW, idle=_MODEL, three="network_algo"),
    Flag("mpi_processes", "int", None, NEW, idle=_FOUND, three="mpi_procs"),
    Flag("threads_per_process", "int", None, NEW, idle="OMP_NUM_THREADS", three="proc_threads"),
    Flag("gpus_per_node", "int", None, NEW, idle=_FOUND, three="node_gpus"),
    Flag("mpi_protocol", "text", "", (THREE,), idle="the launcher's MPI decides"),
    Flag("mpi_server", "text", "", (THREE,), idle="the launcher's MPI decides"),
    Flag("mpi_port", "int", None, (THREE,), idle="the launcher's MPI decides"),
)

_PROFILED_STEPS = 20
_HALVES = {"float16": "fp16", "float32": "none"}


def translate_machine(settings: Settings, draft: Draft) -> None:
    """Check that the command and its launcher agree, and translate tracing and transfer."""
    _check_ranks(settings, draft)
    if settings["tracing"] or settings["profile"]:
        draft.fields["profile"] = _PROFILED_STEPS
    if settings.has("model_sync_quantize") and settings["model_sync_quantize"]:
        dtype = settings["model_sync_dtype"]
        if dtype not in _HALVES:
            raise settings.refusal("model_sync_dtype", f"one of {', '.join(_HALVES)}")
        draft.fields["compression"] = _HALVES[dtype]


def _check_ranks(settings: Settings, draft: Draft) -> None:
    """Refuse what contradicts the launch. All ranks train one network here, always."""
    ranks = settings.ranks
    if settings.generation == THREE:
        flag, together = "parallel_data", settings["parallel_data"]
        alone = settings.is_given(flag) and not together
    else:
        flag, mode = "parallel", settings["parallel"]
        if mode not in ("", "sequential", "data"):
            raise settings.refusal(
                flag, "data (or sequential on one rank); layers are not split over ranks here"
            )
        alone = mode == "sequential"
    if ranks > 1 and alone:
        raise ValueError(
            f"Received: {settings.shown(flag)} for one process alone on {ranks} ranks, which train together here. "
            "Expected: --parallel=data (3.x: --parallel-data), or one rank."
        )
    if ranks > 1 and not settings.is_given(flag):
        draft.notes.append(
            f"The {ranks} ranks train one network together, as with --parallel=data."
        )
