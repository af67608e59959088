"""Flags of PyDTNN for the network and how it is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ddl.config.pydtnn.draft import Draft
from ddl.config.pydtnn.flag import NEW, ONE, SEED, THREE, Flag
from ddl.config.pydtnn.settings import Settings
from ddl.models.aliases import ALIASES, find_alias
from ddl.models.zoo import MODELS

_FUSED = "TensorFlow fuses layers by itself"
_ALGORITHM = "oneDNN chooses how a convolution is computed"

FLAGS = (
    Flag("model", "text", "simplecnn", to="--model"),
    Flag(
        "dtype",
        "text",
        "float32",
        refused="float32, or -- --mixed-precision bfloat16; for float64 leave it out and write "
        '{"floatx": "float64"} into keras.json in the folder $KERAS_HOME',
        harmless=("float32",),
    ),
    Flag(
        "weights_and_bias_filename",
        "text",
        "",
        NEW,
        to="--init-weights",
        three="model_state_file",
    ),
    Flag(
        "tensor_format",
        "text",
        "NHWC",
        NEW,
        refused="NHWC: TensorFlow has no convolutions of channels first for CPUs",
        harmless=("NHWC", "AUTO", "nhwc", "auto", ""),
        default_3="",
    ),
    *(
        Flag(f"enable_fused_{what}", "bool", False, NEW, idle=_FUSED, three=f"fused_{what}")
        for what in ("bn_relu", "conv_relu", "conv_bn", "conv_bn_relu")
    ),
    Flag("enable_best_of", "bool", False, (ONE,), idle=_ALGORITHM),
    Flag("conv_direct_methods_for_best_of", "text", "", (ONE,), idle=_ALGORITHM),
    Flag("enable_conv_i2c", "bool", True, (ONE,), idle=_ALGORITHM),
    Flag("enable_conv_gemm", "bool", False, (ONE,), idle=_ALGORITHM),
    Flag("enable_conv_winograd", "bool", False, (ONE,), idle=_ALGORITHM),
    Flag("enable_conv_direct", "bool", False, (ONE,), idle=_ALGORITHM),
    Flag("conv_direct_method", "text", "", NEW, idle=_ALGORITHM),
    Flag("backend", "text", "cpu", (THREE,), idle="TensorFlow computes all layers"),
    Flag(
        "enable_memory_cache",
        "bool",
        True,
        NEW,
        idle="TensorFlow reuses memory by itself",
        three="shared_tmp_memory",
        default_3=False,
    ),
    Flag(
        "quantize",
        "bool",
        False,
        (THREE,),
        refused="-- --mixed-precision bfloat16 for training, or python scripts/export.py RUN_DIR FILE --precision int8",
        harmless=(False,),
    ),
    Flag("quantize_dtype", "text", "float16", (THREE,), idle="it belongs to --quantize"),
)

_SIMPLE_2020 = (
    "the network of 2020, 149,210 weights for MNIST; --generation 1 takes that of 1.x, 202,458."
)
_SIMPLE_LATER = (
    "the network of 1.x, 202,458 weights for MNIST; --generation 2020 takes that of 2020, 149,210."
)
_KERAS_FILES = (".keras", ".h5", ".hdf5")


def translate_model(settings: Settings, draft: Draft) -> None:
    """Translate the network and the weights that it starts from."""
    name, options, note = network(settings["model"], settings.generation)
    draft.fields["model"] = name
    if options:
        draft.fields["model_option"] = options
    if note:
        draft.notes.append(note)
    weights = settings["weights_and_bias_filename"]
    if weights:
        if Path(weights).suffix not in _KERAS_FILES and not Path(weights).is_dir():
            raise settings.refusal(
                "weights_and_bias_filename",
                "a model or checkpoint of ddl or Keras; .npz weights are not read",
            )
        draft.fields["init_weights"] = weights


def network(name: str, generation: str) -> tuple[str, dict[str, Any], str]:
    """Return the model of ddl that a name of PyDTNN stands for, its options, and a line about it or ""."""
    if name in MODELS and name not in ALIASES:
        return name, {}, ""
    alias = find_alias("simplecnn_2020" if name == "simplecnn" and generation == SEED else name)
    note = alias.note
    if name == "simplecnn":
        note = _SIMPLE_2020 if generation == SEED else _SIMPLE_LATER
    return alias.model, dict(alias.options), f"{name}: {note}" if note else ""
