#!/usr/bin/env bash
# Starts what a container is for:
#
#   worker           waits for a master: sshd on port 12345, as this user and with the shared key alone
#   train [FLAGS]    run_unet.sh with these flags on NP ranks, once every worker in HOSTS answers
#   make-key         makes a throw-away key in /keys for master and workers to share
#   COMMAND ...      anything else: python -m ddl.doctor, mpirun ..., bash
#
# HOSTS=a:2,b:2    machines and their slots (default: this container alone)
# SSH_PORT=12345   where the workers listen
# WAIT_S=60        how long train waits for them
# RUN_DIR=...      where train puts its results (default: /workspace/runs/unet)
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
    [[ "${WAIT_S:-60}" =~ ^[0-9]+$ ]] || refuse "Received: WAIT_S=$WAIT_S. Expected: whole seconds, such as 60."
}

# check_key: whoever can read the key can start programs on every worker.
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

# prepare_ssh: trusts the hosts whose key was signed with the shared one, and no others.
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
    echo "ddl: worker $HOSTNAME ($(hostname -I | xargs)) waits on port $port"
    exec /usr/sbin/sshd -D -e -p "$port" -f "$home/sshd_config"
}

# is_here HOST: whether a name or an address is this container's own.
is_here() {
    local own address
    own=" 127.0.0.1 ::1 $(hostname -I) "
    [[ "$1" == localhost || "$1" == "$HOSTNAME" ]] && return
    for address in $(getent ahosts "$1" | cut -d " " -f 1); do
        [[ "$own" == *" $address "* ]] && return
    done
    return 1
}

wait_for() { # wait_for HOST: until a worker with our key answers there
    local answer deadline=$((SECONDS + ${WAIT_S:-60}))
    until answer="$(ssh -o BatchMode=yes -o ConnectTimeout=5 -p "$port" "$1" true 2>&1)"; do
        ((SECONDS < deadline)) || refuse "Received: HOSTS=$HOSTS, and no worker with our key answers at $1, port" \
            "$port ($(tail -n 1 <<< "$answer" | tr -d '\r')). Expected: workers started first, all with this key."
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

make_key() {
    [[ ! -e "$key" ]] || { echo "ddl: $key is there already"; exit 0; }
    [[ -w "$(dirname "$key")" ]] || refuse "Received: $(dirname "$key"), where user $(id -u) cannot write." \
        "Expected: an empty volume or a folder of this user."
    ssh-keygen -q -t ed25519 -N "" -C ddl -f "$key"
    echo "ddl: made $key"
}

check_settings
command="${1:-help}"
case "$command" in
    help | -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
    worker) work ;;
    train) train "${@:2}" ;;
    make-key) make_key ;;
    *)
        [[ ! -e "$key" ]] || prepare_ssh
        exec "$@"
        ;;
esac
