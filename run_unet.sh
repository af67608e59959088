#!/usr/bin/env bash
# Trains a U-Net on your pictures or on synthetic ones. Runs ./setup.sh first.
#
#   ./run_unet.sh                                two ranks, under a minute
#   ./run_unet.sh --resume auto --epochs 20      resume that run
#   NP=4 RUN_DIR=runs/mine ./run_unet.sh --data pictures/ --image-size 128
#
# Flags go to scripts/train_unet.py. Variables and their defaults:
# NP=2                     number of ranks
# HOSTS=a:2,b:2            machines and their slots (default: this machine); each needs this folder at the same path
# RUN_DIR=runs/unet        folder for the results; job.log in it keeps the output
# OMP_NUM_THREADS=n        threads per rank (default: its share of the cores)
# INTERFACE=eth0           network between the machines, a name or 10.0.0.0/8 (default: MPI's choice)
# SSH_PORT=22              SSH port of the other machines
# BIND_TO=none             what each rank is bound to: none, core, socket, numa
# MAP_BY=slot              how ranks are placed: slot, node, ppr:2:socket
# FUSION_THRESHOLD_MB=32   size of Horovod's fusion buffer
# CYCLE_TIME_MS=           Horovod's cycle time (default: 0.2 on one machine, 1 on several)
# MPI_FLAGS="..."          further flags for mpirun
#
# Exit status: 0 trained, 2 bad input, 75 stopped with a checkpoint (SIGTERM, SIGUSR1, Ctrl-C, time limit): resume with
# --resume auto. Any other status: the job failed and printed the reason.
set -uo pipefail
cd "$(dirname "$0")" || exit 1

fail() {
    echo "run_unet: $1" >&2
    exit 2
}
number() { # number NAME VALUE MOST: require a whole number from 1 to MOST
    [[ "$2" =~ ^[1-9][0-9]{0,8}$ && "$2" -le "$3" ]] || fail "Received: $1=$2. Expected: a whole number, 1 to $3."
}
word() { # word NAME VALUE PATTERN EXPECTED: require VALUE to match PATTERN
    [[ "$2" =~ ^($3)$ ]] || fail "Received: $1=$2. Expected: $4."
}
slots() { # print the total number of slots in HOSTS
    local host total=0
    for host in ${1//,/ }; do
        [[ "$host" == *:* ]] || host+=":1"
        ((total += ${host##*:}))
    done
    echo "$total"
}
interfaces() { # print the network interfaces of this machine
    sed -n 's/^ *\([^ ]*\):.*/\1/p' /proc/net/dev | paste -sd ' '
}
keep_log() { # copy stdin to stdout, and to job.log as soon as the run directory exists
    local line early=""
    trap '' INT TERM USR1 HUP
    while IFS= read -r line || [[ -n "$line" ]]; do
        printf '%s\n' "$line" 2> /dev/null # fails if the terminal was closed
        early+="$line"$'\n'
        if [[ -d "$run_dir" ]]; then
            { printf '%s' "$early" >> "$run_dir/job.log"; } 2> /dev/null # a full disk must not end the job
            early=""
        fi
    done
}

ranks="${NP:-2}" fusion="${FUSION_THRESHOLD_MB:-32}" port="${SSH_PORT:-22}"
run_dir="${RUN_DIR:-runs/unet}"
number NP "$ranks" 100000
number FUSION_THRESHOLD_MB "$fusion" 65536
number SSH_PORT "$port" 65535
[[ -z "${OMP_NUM_THREADS:-}" ]] || number OMP_NUM_THREADS "$OMP_NUM_THREADS" 1024
word CYCLE_TIME_MS "${CYCLE_TIME_MS:-1}" '[0-9]+(\.[0-9]+)?' "milliseconds, such as 1 or 2.5"
word BIND_TO "${BIND_TO:-none}" '(none|hwthread|core|l[123]cache|socket|numa|board)(:[a-z,-]+)?' \
    "none, core, socket or numa"
word MAP_BY "${MAP_BY:-slot}" '(slot|node|hwthread|core|l[123]cache|socket|numa|board|ppr:[0-9]+:[a-z0-9]+)(:.+)?' \
    "slot, node, or such as ppr:2:socket"
if [[ -n "${HOSTS:-}" ]]; then
    host='[A-Za-z0-9_.-]+(:[1-9][0-9]{0,4})?'
    word HOSTS "$HOSTS" "$host(,$host)*" "machines with their slots, such as a:2,b:2"
    [[ "${MPI_FLAGS:-}" == *oversubscribe* ]] || (($(slots "$HOSTS") >= ranks)) ||
        fail "Received: NP=$ranks with HOSTS=$HOSTS, which has $(slots "$HOSTS") slots. Expected: at least NP slots."
fi
networks="${INTERFACE:-}"
for name in ${networks//,/ }; do # MPI itself resolves 10.0.0.0/8
    [[ "$name" == */* || ! -r /proc/net/dev ]] || [[ " $(interfaces) " == *" $name "* ]] ||
        fail "Received: INTERFACE=$name. Expected: an interface of this machine ($(interfaces)) or a network such as 10.0.0.0/8."
done

./setup.sh || exit $?
venv="${DDL_VENV:-.venv}"
venv="$(cd "$venv" && pwd)" # ranks on other machines start in another folder
arguments=("$@")
named=(--run-dir "$run_dir")
for ((k = 0; k < $#; k++)); do
    case "${arguments[k]}" in
        -h | --help) exec "$venv/bin/python" scripts/train_unet.py --help ;;
        --run-dir) run_dir="${arguments[k + 1]:-}" named=() ;;
        --run-dir=*) run_dir="${arguments[k]#*=}" named=() ;;
    esac
done
train=("$venv/bin/python" -u "$PWD/scripts/train_unet.py" ${named[@]+"${named[@]}"} "$@")
# Bad flags and bad data end the script here with one line and status 2, before any rank starts.
said="$("${train[@]}" --dry-run 2>&1 > /dev/null)" || {
    status=$?
    printf '%s\n' "$said" >&2
    exit "$status"
}

export HOROVOD_FUSION_THRESHOLD=$((fusion << 20))
[[ -z "${CYCLE_TIME_MS:-}" ]] || export HOROVOD_CYCLE_TIME="$CYCLE_TIME_MS"
export PATH="$venv/bin:$PATH"
[[ $EUID -ne 0 ]] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpirun="$venv/bin/mpirun" # called by path, so that other machines find the same MPI without our PATH
[[ -x "$mpirun" ]] || mpirun=mpirun
launch=("$mpirun" -np "$ranks" --bind-to "${BIND_TO:-none}" --map-by "${MAP_BY:-slot}")
launch+=(--mca plm_rsh_args "-p $port")
launch+=(-x HOROVOD_FUSION_THRESHOLD -x PATH)
[[ -z "${HOROVOD_CYCLE_TIME:-}" ]] || launch+=(-x HOROVOD_CYCLE_TIME)
[[ -z "${OMP_NUM_THREADS:-}" ]] || launch+=(-x OMP_NUM_THREADS)
[[ -z "${INTERFACE:-}" ]] || launch+=(--mca btl_tcp_if_include "$INTERFACE" --mca oob_tcp_if_include "$INTERFACE")
if [[ -n "${HOSTS:-}" ]]; then launch+=(-H "$HOSTS"); else launch+=(-H "localhost:$ranks"); fi
read -ra extra <<< "${MPI_FLAGS:-}"

echo "run_unet: $ranks rank(s) on ${HOSTS:-this machine}"
# shellcheck disable=SC2317 # called by the trap
stop() { # first signal: save a checkpoint and stop; second signal: end the job at once
    kill -USR1 "$job"
    trap 'kill -TERM "$job"' INT TERM
}
# mpirun forwards SIGUSR1 at once and gives the ranks time to save a checkpoint. After SIGTERM or Ctrl-C it kills them
# within two seconds, so it runs in its own process group, which a terminal's Ctrl-C does not reach.
exec {log}> >(keep_log)
logger=$!
set -m
"${launch[@]}" ${extra[@]+"${extra[@]}"} "${train[@]}" < /dev/null >&"$log" 2>&1 &
job=$!
set +m
exec {log}>&-
trap stop INT TERM USR1 HUP
while true; do # a signal interrupts the wait
    wait "$job"
    status=$?
    kill -0 "$job" 2> /dev/null || break
done
wait "$logger" 2> /dev/null
case "$status" in
    0) echo "run_unet: done; curves.png and samples.png beside the model show the result" ;;
    75) echo "run_unet: stopped with a checkpoint; resume with --resume auto" >&2 ;;
    *)
        kept="$run_dir/job.log"
        [[ -f "$kept" ]] || kept="the output above"
        echo "run_unet: the job ended with status $status; see $kept" >&2
        ;;
esac
exit "$status"
