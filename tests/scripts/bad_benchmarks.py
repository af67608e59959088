"""What people ask of a benchmark by mistake, and a piece of the one line that they get."""

from __future__ import annotations

from pathlib import Path

from tests.scripts.spoiled import Row


def no_model(here: Path) -> None:
    """Write a file that is no model."""
    (here / "mine.keras").write_text("no model")


BENCHMARKS = [
    Row("benchmark", "The following arguments are required: what"),
    Row("benchmark speed", "invalid choice: 'speed' (choose from"),
    Row("benchmark train --rank 2", "unknown flag --rank. Expected: --ranks;"),
    Row("benchmark train --ranks 0", "ranks=0 for a benchmark. Expected: at least 1"),
    Row("benchmark train --epochs 1", "epochs=1 for a benchmark. Expected: at least 2"),
    Row("benchmark train --storage tape", "storage='tape'. Expected one of: memory, hdf5, png."),
    Row("benchmark train --mixed-precision auto", "Expected one of: none, bfloat16, float16."),
    Row("benchmark train --data nothing", "nothing, which does not exist. Expected"),
    Row("benchmark train --data-option size=8", "data_option without data. Expected: both"),
    Row(
        "benchmark memory --data synthetic --storage png",
        "Expected: no storage, which sets up synthetic",
    ),
    Row(
        "benchmark train --data synthetic --channels 1",
        "Expected: no channels, which sets up synthetic",
    ),
    Row(
        "benchmark input --data synthetic --model cnn", "for model cnn. Expected: image and label."
    ),
    Row("benchmark steps --epoch-steps 20", "Expected: 50 steps at least for --profile 20."),
    Row(
        "benchmark steps --ranks 1 --spinning true", "spinning=true with ranks=1. Expected: 2 ranks"
    ),
    Row("benchmark train --augment flop=1", "Unknown option of augmentation. Received: 'flop'."),
    Row("benchmark train --model vgg", "Unknown model. Received: 'vgg'."),
    Row("benchmark train --model-option wide=1", "Unknown option of model unet. Received: 'wide'."),
    Row("benchmark scaling --kind loose", "kind='loose'. Expected one of: weak, strong."),
    Row("benchmark allreduce --ranks 1", "ranks=1 for a benchmark. Expected: at least 2"),
    Row("benchmark gan --ranks 0", "ranks=0 for a benchmark of GANs. Expected: at least 1"),
    Row("benchmark gan --losses wgan gan", "losses=gan. Expected one of: dcgan, wgan, wgan_gp."),
    Row("benchmark gan --losses wgan wgan", "losses=wgan wgan. Expected: at least one, each once."),
    Row("benchmark gan --epochs 1", "epochs=1 for a benchmark of GANs. Expected: at least 2"),
    Row("benchmark modes --ranks 1", "ranks=1 for a benchmark of modes. Expected: at least 2"),
    Row("benchmark modes --slow 4", "slow=4 with ranks=4. Expected: a rank from 0 to 3."),
    Row(
        "benchmark modes --modes sync fast",
        "modes=fast. Expected one of: sync, balanced, local, async.",
    ),
    Row("benchmark modes --modes sync sync", "modes=sync sync. Expected: each mode once."),
    Row(
        "benchmark modes --modes async --from-step 9 --ranks 2 --slow 1",
        "from_step=9 with mode async, whose workers are slow from the start. Expected: --from-step 0",
    ),
    Row("benchmark modes --times 0.5", "times=0.5 for a benchmark of modes. Expected: at least 1"),
    Row(
        "benchmark modes --sample-ms 0", "sample_ms=0.0 for a benchmark of modes. Expected: above 0"
    ),
    Row("benchmark epochs here there", "here, which has no history.jsonl. Expected: the --run-dir"),
    Row("benchmark project", "The following arguments are required: --step-seconds"),
    Row(
        "benchmark project --step-seconds 0", "step_seconds=0.0 for a projection. Expected: above 0"
    ),
    Row(
        "benchmark project --step-seconds 1 --ranks many", "ranks='many'. Expected: a whole number"
    ),
    Row("benchmark project --step-seconds 1 --gbit", "no ranks or no gbit. Expected: one of each"),
    Row(
        "benchmark project --step-seconds 1 --model mine.keras",
        "model='mine.keras', which is not a file",
    ),
]
"""Refused before TensorFlow loads."""

BROKEN = [
    Row(
        "benchmark project --step-seconds 1 --model mine.keras",
        "mine.keras, which Keras cannot load",
        no_model,
    )
]
"""Refused when Keras has looked at it."""
