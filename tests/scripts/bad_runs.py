"""Runs, models and outputs that cannot be used, and a piece of the one line that tells so."""

from __future__ import annotations

from tests.scripts.spoiled import (
    MASKS,
    PICTURES,
    Row,
    changed_plan,
    ended_run,
    file,
    folder,
    good_run,
    grey_run,
    h5,
    npz,
    other_model,
    other_model_cut,
    other_model_strange,
    other_run,
    pairs,
    pairs_cut,
    pairs_without,
    plan_json,
    run,
    run_and_other,
    run_cut,
    run_flipped,
    strange_run,
    then,
)

UNET = "train_unet --run-dir run "
LONG = "x" * 300

RUNS = [
    Row("train_unet --run-dir ''", "run_dir=''. Expected: a path."),
    Row(UNET, "run_dir=run, but run is not a folder", file("run")),
    Row(
        "train_unet --run-dir a/b/run",
        "a is not a folder. Expected: a folder, or a name for a new one.",
        file("a"),
    ),
    Row(f"train_unet --run-dir {LONG}", "which cannot be made (File name too long)"),
    Row(UNET, "run_dir=run, which already holds a run", run()),
    Row(
        UNET + "--resume 40",
        "--resume 40. Expected: auto, best, a path or an epoch; run/checkpoints has none.",
    ),
    Row(UNET + "--resume 40", "run/checkpoints has epochs 2.", run()),
    Row(UNET + "--resume best", "--resume best. Expected: auto or a path"),
    Row(
        UNET + "--resume nowhere",
        "nowhere, which is neither a checkpoint nor a run with checkpoints",
    ),
    Row(UNET + "--resume a.h5", "a.h5, which is not a ddl checkpoint", h5(image=PICTURES)),
    Row(UNET + "--resume 2", "epoch-0002.h5 is damaged", run_cut),
    Row(UNET + "--resume 2", "epoch-0002.h5 is damaged (its checksum does not match)", run_flipped),
    Row(UNET + "--resume auto", "where all 1 checkpoints are damaged", run_flipped),
    Row(UNET + "--resume auto --loss dice", "loss='dice' (checkpoint: 'dice_crossentropy')", run()),
    Row(
        UNET + "--resume auto --model-option depth=3",
        "model_option={'depth': 3} (checkpoint: {})",
        run(),
    ),
    Row(
        UNET + "--resume auto --schedule cosine --epochs 9",
        "Expected: --schedule-epochs 5",
        run(schedule="cosine"),
    ),
    Row(
        "train_unet --run-dir other --resume run",
        "run_dir=other, which already holds a run, to resume from",
        run_and_other,
    ),
    Row(UNET + "--init-weights nowhere.keras", "nowhere.keras, which does not exist"),
    Row(UNET + "--init-weights other", "other, a folder without model.keras", folder("other")),
    Row(
        UNET + "--init-weights a.keras",
        "a.keras, which is not an intact saved model",
        file("a.keras"),
    ),
    Row(UNET + "--init-weights a.npz", "it has no config.json", npz(images=PICTURES)),
    Row(UNET + "--init-weights a.h5", "it holds only weights", h5(image=PICTURES)),
]

EVALUATE = [
    Row("evaluate", "The following arguments are required: model"),
    Row(
        "evaluate nowhere",
        "nowhere, which does not exist. Expected: a run directory or a checkpoint.",
    ),
    Row(
        "evaluate run --part middle",
        "part='middle'. Expected one of: train, validation, test, all.",
    ),
    Row("evaluate run --metric accuracy", "Unknown metric. Received: 'accuracy'"),
    Row("evaluate run --metric dice dice", "metric 'dice' twice"),
    Row("evaluate run --per-rank-batch-size 0", "per_rank_batch_size=0 for evaluation"),
    Row(
        "evaluate run --output results.txt",
        "output=results.txt. Expected: a file that ends in .json.",
    ),
    Row("evaluate run --output none/results.json", "a folder that exists and can be written"),
    Row(
        "evaluate other",
        "other, where plan.json cannot be read (No such file or directory)",
        folder("other"),
    ),
    Row("evaluate run", "run, which has no model.keras. Expected: a finished run; or", run()),
    Row(
        "evaluate run",
        "model.keras, which is not an intact saved model (it has no config.json)",
        ended_run(),
    ),
    Row("evaluate run", "plan.json, which is not a plan (Expecting value", plan_json("no")),
    Row(
        "evaluate run", "plan.json, which is not a plan (Received: list as a plan", plan_json("[]")
    ),
    Row("evaluate run", "a plan without run_dir", plan_json("{}")),
    Row("evaluate run", "Unknown field of a plan. Received: 'epoch'", changed_plan(epoch=3)),
    Row("evaluate run", "epochs='five'. Expected: a whole number", changed_plan(epochs="five")),
    Row("evaluate run --checkpoint 7", "run/checkpoints has epochs 2", run()),
    Row("evaluate run --checkpoint last", "--checkpoint last, which is neither", run()),
    Row(
        "evaluate run --checkpoint auto --part test",
        "part='test' of synthetic, which has no splits",
        run(),
    ),
    Row("evaluate run --checkpoint auto --data nowhere", "nowhere, which does not exist", run()),
    Row(
        "evaluate run --checkpoint auto --data faces",
        "data with image, label from faces, for model unet",
        run(),
    ),
    Row("evaluate run/checkpoints/epoch-0002.h5", "epoch-0002.h5 is damaged", run_flipped),
    Row("evaluate run/checkpoints/epoch-0002.h5 --checkpoint best", "which is a file", run()),
    Row("evaluate a.h5", "a.h5, which is not a ddl checkpoint", h5(image=PICTURES)),
]

PREPARE = [
    Row("prepare_data", "The following arguments are required: source, output"),
    Row("prepare_data nowhere a.h5", "source=nowhere, which is not a folder"),
    Row("prepare_data in a.h5", "which is an empty folder", folder("in")),
    Row("prepare_data in a.h5 --layout pairs", "which has no pictures", folder("in")),
    Row("prepare_data in a.txt", "output=a.txt. Expected: a name that ends in .h5.", pairs),
    Row(
        "prepare_data in in/none/a.h5", "a place in a folder that exists and can be written", pairs
    ),
    Row("prepare_data in a.h5", "output=a.h5, which exists", then(pairs, file("a.h5"))),
    Row(
        "prepare_data in a.h5 --layout kitti",
        "Expected one of: auto, folders, pairs, classes",
        pairs,
    ),
    Row("prepare_data in a.h5 --bits 12", "bits=12. Expected one of: 8, 16", pairs),
    Row("prepare_data in a.h5 --bits eight", "bits='eight'. Expected: a whole number", pairs),
    Row("prepare_data in a.h5 --image-size 1x2x3", "image_size='1x2x3'. Expected: pixels", pairs),
    Row(
        "prepare_data in a.h5 --validation nan",
        "validation=nan for splits. Expected: at least 0, below 1",
        pairs,
    ),
    Row(
        "prepare_data in a.h5 --validation 0.5 --test 0.5", "which leave no training samples", pairs
    ),
    Row("prepare_data in a.h5 --folds 99", "folds=99 for 4 samples. Expected: 2 to 4", pairs),
    Row("prepare_data in a.h5", "cell-3.png, which is damaged", pairs_cut("cell-3.png")),
    Row("prepare_data in a.h5", "cell-3_mask.gif without a picture", pairs_without("cell-3.png")),
    Row(
        "prepare_data in a.h5 --on-error skip --layout folders",
        "without a folder of pictures",
        pairs,
    ),
]

SMALL = "--data-option count=6 --image-size 16 --model-option width=2 depth=2 "
SMALL = "--data-option count=6 --image-size 16 --model-option width=2 depth=2 "
TINY = UNET + SMALL
ENCODER = "--model unet_encoder --model-option encoder=mobilenet weights_file=other.keras "
MODELS = [
    Row(
        TINY + "--freeze down_9*",
        "No layer name matches freeze='down_9*'. Expected: a name or pattern such as down_0",
    ),
    Row(
        TINY + "--freeze up_* *",
        "freeze=up_* *, which leaves nothing to train. Expected: fewer layers.",
    ),
    Row(
        TINY + "--init-weights other.keras",
        "other.keras, where no layer matches by name and shapes (dense)",
        other_model,
    ),
    Row(
        TINY + "--init-weights other.keras",
        "other.keras, which is not an intact saved model (",
        other_model_cut,
    ),
    Row(
        TINY + "--init-weights other.keras",
        "other.keras, which Keras cannot load (",
        other_model_strange,
    ),
    Row(
        TINY + "--init-weights other/checkpoints/epoch-0002.h5",
        "epoch-0002.h5, which Keras cannot load (",
        other_run,
    ),
    Row("train_unet --run-dir /proc/run " + SMALL, "run_dir=/proc/run, which cannot be made ("),
    Row(
        UNET + ENCODER + "--data-option count=6 --image-size 64",
        "weights_file=other.keras, which does not fit",
        other_model,
    ),
    Row(
        "evaluate run",
        "samples of shape 96x96x3 from synthetic, for a model of shape 32x32x1 (run/model.keras)",
        grey_run,
    ),
    Row(
        "evaluate run --data a.npz",
        "samples of shape 16x16x3 from a.npz, for a model of shape 96x96x3",
        then(good_run, npz(images=PICTURES, masks=MASKS)),
    ),
    Row("evaluate run --metric top_1 top_5", "metric top_5 of 2 classes, which", good_run),
    Row("evaluate run", "run/model.keras, which Keras cannot load", strange_run),
]

RUN_UNET = {
    "NP=0": "NP=0. Expected: a whole number, 1 to 100000.",
    "NP=two": "NP=two. Expected: a whole number",
    "NP=2.5": "NP=2.5. Expected: a whole number",
    "NP=999999999999999999999": "Expected: a whole number",
    "SSH_PORT=99999": "SSH_PORT=99999. Expected: a whole number, 1 to 65535.",
    "OMP_NUM_THREADS=-1": "OMP_NUM_THREADS=-1. Expected: a whole number",
    "FUSION_THRESHOLD_MB=1GB": "FUSION_THRESHOLD_MB=1GB. Expected: a whole number",
    "CYCLE_TIME_MS=fast": "CYCLE_TIME_MS=fast. Expected: milliseconds",
    "BIND_TO=rank": "BIND_TO=rank. Expected: none, core, socket or numa.",
    "MAP_BY=ppr": "MAP_BY=ppr. Expected: slot, node, or such as ppr:2:socket.",
    "HOSTS=a:two": "HOSTS=a:two. Expected: machines with their slots, such as a:2,b:2.",
    "HOSTS='a b'": "HOSTS=a b. Expected: machines with their slots",
    "HOSTS=a:1,b:1 NP=3": "NP=3 with HOSTS=a:1,b:1, which has 2 slots. Expected: at least NP slots.",
    "HOSTS=a NP=2": "HOSTS=a, which has 1 slots",
    "INTERFACE=none9": "INTERFACE=none9. Expected: an interface of this machine (",
}
"""Variables of run_unet.sh."""
