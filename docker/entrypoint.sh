#!/usr/bin/env bash
# Commands of the container:
#
#   worker           wait for a master: runs sshd on port 12345 as this user; only the shared key may log in
#   train [FLAGS]    wait for the workers in HOSTS, then run run_unet.sh with these flags on NP ranks
#   run [FLAGS]      run a JSON file with scripts/run.py: run --config=x.json, on NP ranks of this container
#   make-key         create a key in /keys for master and workers to share
#   COMMAND ...      run any other command: python -m ddl.doctor, mpirun ..., bash
#
# HOSTS=a:2,b:2    machines and their slots (default: this container alone)
# SSH_PORT=12345   port of the workers
# WAIT_S=60        seconds that train waits for them
# NP=2             ranks of run (default: 1) and train
# RUN_DIR=...      folder for the results of train (default: /workspace/runs/unet)
set -euo pipefail

home="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
port="${SSH_PORT:-12345}"
key="${DDL_KEY:-/keys/id_ed25519}"
state="${DDL_STATE:-/run/ddl}"

refuse() {
    echo "ddl: $*" >&2
    exit 2
}

check_settings() {
    [[ "$port" =~ ^[1-9][0-9]{0,4}$ ]] || refuse "Received: SSH_PORT=$port. Expected: a port, such as 12345."
    [[ "${NP:-1}" =~ ^[1-9][0-9]{0,5}$ ]] || refuse "Received: NP=$NP. Expected: a number of ranks, such as 2."
    [[ "${WAIT_S:-60}" =~ ^[0-9]+$ ]] || refuse "Received: WAIT_S=$WAIT_S. Expected: whole seconds, such as 60."
}

# check_key: nobody else may read the key, because it can start programs on every worker.
check_key() {
    [[ -e "$key" ]] || refuse "Received: no file $key. Expected: the key that master and workers share," \
        "in a volume at $(dirname "$key"); make-key makes one."
    [[ -f "$key" && -r "$key" ]] || refuse "Received: $key, which user $(id -u) cannot read. Expected: a file of" \
        "this user (build the image with --build-arg USER_ID=<its owner>)."
    local mode
    mode="$(stat -L -c %a "$key")"
    (((8#$mode & 8#077) == 0)) || refuse "Received: $key with mode $mode, which others may read." \
        "Expected: mode 600 or 400 (chmod 600)."
}

# prepare_ssh: trust only hosts whose key is signed with the shared key.
prepare_ssh() {
    check_key
    umask 077
    public="$(ssh-keygen -y -P "" -f "$key" 2> /dev/null)" ||
        refuse "Received: $key, which ssh-keygen cannot use. Expected: a private key without a passphrase."
    [[ -d "$state" && -w "$state" ]] || refuse "Received: $state, where user $(id -u) cannot write." \
        "Expected: the user that the image was built for (leave out --user, or build with USER_ID)."
    echo "@cert-authority * $public" > "$state/known_hosts"
}

work() {
    [[ "$(id -u)" != 0 ]] || refuse "Received: user root. Expected: the image's own user (leave out --user)."
    prepare_ssh
    echo "restrict $public" > "$state/authorized_keys"
    rm -f "$state"/host_key*
    ssh-keygen -q -t ed25519 -N "" -C "" -f "$state/host_key"
    ssh-keygen -q -s "$key" -h -I "$HOSTNAME" "$state/host_key.pub"
    echo "ddl: worker $HOSTNAME ($(hostname -I | xargs)) is ready on port $port"
    exec /usr/sbin/sshd -D -e -p "$port" -f "$home/sshd_config"
}

# is_here HOST: whether a name or an address belongs to this container.
is_here() {
    local own address
    own=" 127.0.0.1 ::1 $(hostname -I) "
    [[ "$1" == localhost || "$1" == "$HOSTNAME" ]] && return
    for address in $(getent ahosts "$1" | cut -d " " -f 1); do
        [[ "$own" == *" $address "* ]] && return
    done
    return 1
}

wait_for() { # wait_for HOST: wait until a worker with our key answers there
    local answer deadline=$((SECONDS + ${WAIT_S:-60}))
    until answer="$(ssh -o BatchMode=yes -o ConnectTimeout=5 -p "$port" "$1" true 2>&1)"; do
        ((SECONDS < deadline)) || refuse "Received: HOSTS=$HOSTS, but no worker with our key answers at $1, port" \
            "$port ($(tail -n 1 <<< "$answer" | tr -d '\r')). Expected: workers that were started first, all with this key."
        sleep 1
    done
}

train() {
    local host
    if [[ -n "${HOSTS:-}" ]]; then
        prepare_ssh
        for host in ${HOSTS//,/ }; do
            host="${host%%:*}"
            is_here "$host" || wait_for "$host"
        done
    fi
    export SSH_PORT="$port"
    export RUN_DIR="${RUN_DIR:-/workspace/runs/unet}"
    exec "$home/../run_unet.sh" "$@"
}

# run_json: what relative paths are relative to stays the working directory.
run_json() {
    local program=(python -u "$home/../scripts/run.py" "$@")
    ((${NP:-1} > 1)) || exec "${program[@]}"
    exec mpirun -np "$NP" --bind-to none --oversubscribe "${program[@]}"
}

make_key() {
    [[ ! -e "$key" ]] || { echo "ddl: $key exists already"; exit 0; }
    [[ -w "$(dirname "$key")" ]] || refuse "Received: $(dirname "$key"), where user $(id -u) cannot write." \
        "Expected: an empty volume or a folder of this user."
    ssh-keygen -q -t ed25519 -N "" -C ddl -f "$key"
    echo "ddl: created $key"
}

check_settings
command="${1:-help}"
case "$command" in
    help | -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
    worker) work ;;
    train) train "${@:2}" ;;
    run) run_json "${@:2}" ;;
    make-key) make_key ;;
    *)
        [[ ! -e "$key" ]] || prepare_ssh
        exec "$@"
        ;;
esac
