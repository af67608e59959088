#!/usr/bin/env bash
# Trains a small CNN on MNIST with PyDTNN's command of 2020, as it is: 12 ranks of 2 threads, 10 epochs.
#
#   examples/run_mpi_mnist.sh                       12 ranks; MNIST's four IDX files in datasets/mnist, plain or .gz
#   NP=2 OMP_NUM_THREADS=1 DATASET=/data/mnist examples/run_mpi_mnist.sh
#
# Further words go to the launcher: more flags of PyDTNN, or -- and flags of train_cnn.py.
# NP=12                    number of ranks
# OMP_NUM_THREADS=2        threads per rank
# EPOCHS=10                number of epochs
# DATASET=datasets/mnist   folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and t10k-*
# MPI_FLAGS="..."          further flags for mpirun, such as --oversubscribe
set -euo pipefail

root="$(cd "$(dirname "$0")/.." && pwd)"
venv="${DDL_VENV:-$root/.venv}"
[[ ! -d "$venv/bin" ]] || export PATH="$venv/bin:$PATH"
[[ $EUID -ne 0 ]] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
dataset="${DATASET:-datasets/mnist}"
read -ra extra <<< "${MPI_FLAGS:-}"

exec mpirun -np "${NP:-12}" --bind-to none ${extra[@]+"${extra[@]}"} \
    python3 -u "$root/scripts/benchmarks_CNN.py" \
    --model=simplecnn \
    --dataset=mnist \
    --dataset_train_path="$dataset" \
    --dataset_test_path="$dataset" \
    --batch_size=64 \
    --validation_split=0.2 \
    --num_epochs="${EPOCHS:-10}" \
    --optimizer=Adam \
    --learning_rate=0.01 \
    --loss_func=categorical_accuracy,categorical_cross_entropy \
    --parallel=data \
    --blocking_mpi \
    --dtype=float32 --evaluate \
    "$@"
