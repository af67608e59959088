#!/usr/bin/env bash
# Trains a U-Net on this machine, on your pictures or on ones that it makes itself; sets up first when needed.
#
#   ./run_unet.sh                          two ranks, under a minute
#   NP=4 ./run_unet.sh --data pictures/    other ranks; flags go to scripts/train_unet.py
#
# NP=2                 ranks
# HOSTS=a:2,b:2        machines and their slots, all with this folder at this path (default: this one)
# RUN_DIR=runs/...     where the results go (default: runs/unet-<time>)
# OMP_NUM_THREADS=n    threads a rank (default: its share of the cores)
set -euo pipefail
cd "$(dirname "$0")"

ranks="${NP:-2}"
if ! [[ "$ranks" =~ ^[1-9][0-9]*$ ]]; then
    echo "run_unet: received NP=$ranks, expected a number of ranks, 1 or more." >&2
    exit 2
fi
./setup.sh
venv="${DDL_VENV:-.venv}"
run_dir="${RUN_DIR:-runs/unet-$(date +%Y%m%d-%H%M%S)}"
train=("$venv/bin/python" -u scripts/train_unet.py --run-dir "$run_dir" "$@")
for argument in "$@"; do
    [[ "$argument" == -h || "$argument" == --help ]] && exec "${train[@]}"
done
# Bad flags end here, with one line and status 2, before any rank starts.
"${train[@]}" --dry-run > /dev/null

echo "run_unet: $ranks rank(s) on ${HOSTS:-this machine}; results in $run_dir"
trap 'echo "run_unet: interrupted" >&2; exit 130' INT
"$venv/bin/horovodrun" --gloo -np "$ranks" -H "${HOSTS:-localhost:$ranks}" "${train[@]}"
echo "run_unet: the model is $run_dir/model.keras"
