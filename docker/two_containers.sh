#!/usr/bin/env bash
# Trains a U-Net in two containers that are connected only by a network. Needs root, but no Docker engine.
#
#   docker/two_containers.sh                 build everything in a temporary folder
#   docker/two_containers.sh /var/tmp/ddl    keep base, image and caches there for the next run
#
# It creates a base with debootstrap, builds the Dockerfile on it with buildah, and starts a worker and a master. Each
# has its own network, process, mount and host namespaces; a virtual cable connects them. mpirun starts one rank in each
# over ssh on port 12345, then `train` does the same through run_unet.sh. The script checks the results and removes
# everything it created, also when interrupted. It installs nothing.
#
# RELEASE=bookworm   Debian release of the base
# MIRROR=URL         mirror for the base (default: apt's mirror for that release, else deb.debian.org)
# VOLUMES="A:A:ro"   more folders to mount in the build (folders in pip's settings are always mounted)
set -euo pipefail

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
release="${RELEASE:-bookworm}"
image=localhost/ddl:cpu
entrypoint=/opt/ddl/docker/entrypoint.sh
master_ip=10.0.0.1
worker_ip=10.0.0.2
least_dice=0.9
spaces="ddl$$"
processes=()

say() { echo "two_containers: $* (${SECONDS} s)"; }
fail() {
    echo "two_containers: $1" >&2
    exit "${2:-1}"
}

check_tools() {
    local tool missing=()
    [[ "$(id -u)" == 0 ]] || fail "run it as root: it creates namespaces." 2
    for tool in buildah debootstrap ip unshare python3; do
        command -v "$tool" > /dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) || fail "missing: ${missing[*]}. Install them with: apt-get install \
--no-install-recommends buildah debootstrap iproute2 util-linux python3" 2
}

# start LOG COMMAND...: run it in its own process and mount namespaces, so that no process outlives this script.
start() {
    local log="$1"
    shift
    unshare --pid --fork --kill-child --mount-proc "$@" > "$log" 2>&1 &
    processes+=("$!")
}

run() { # run LOG COMMAND...: start it and wait for its end; signals interrupt the wait
    local status=0
    start "$@"
    wait "${processes[-1]}" || status=$?
    unset 'processes[-1]' # the kernel may reuse its process id
    return "$status"
}

# Separate storage: this machine's images stay untouched, and one folder holds everything to delete.
set_storage() {
    storage=(buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs)
}

has_image() { "${storage[@]}" inspect --type image "$1" > /dev/null 2>&1; }

make_base() {
    local mirror="${MIRROR:-}" container
    has_image localhost/ddl-base && return
    # shellcheck disable=SC2016  # apt's own variables
    [[ -n "$mirror" ]] || mirror="$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' \
        'Created-By: Packages' | awk -v release="$release" '$1 == release && $2 == "main" {print $3; exit}')"
    say "base: $release from ${mirror:=http://deb.debian.org/debian}"
    rm -rf "$work/tree"
    run "$work/base.log" debootstrap --variant=minbase "$release" "$work/tree" "$mirror" ||
        fail "debootstrap failed: $(tail -n 3 "$work/base.log")"
    tar -C "$work/tree" -cf "$work/base.tar" \
        --exclude='./dev/*' --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' .
    container="$("${storage[@]}" from scratch)"
    "${storage[@]}" add --quiet "$container" "$work/base.tar" / > /dev/null
    "${storage[@]}" commit --quiet --rm "$container" localhost/ddl-base > /dev/null
    rm -rf "$work/tree" "$work/base.tar"
}

build_image() {
    local volume options=(--isolation chroot --build-arg BASE=localhost/ddl-base --tag "$image")
    options+=(--secret "id=pip.conf,src=$work/pip.conf" --secret "id=pip.cert,src=$work/pip.cert")
    while read -r volume; do
        options+=(--volume "$volume:$volume:ro")
    done < <(python3 "$repository/docker/pip_settings.py" "$work")
    for volume in ${VOLUMES:-}; do
        options+=(--volume "$volume")
    done
    say "image: building $image; log: $work/build.log"
    mkdir -p "$work/cache"
    # buildah keeps the cache that the Dockerfile mounts below TMPDIR.
    run "$work/build.log" env TMPDIR="$work/cache" "${storage[@]}" build "${options[@]}" "$repository" ||
        fail "building failed: $(tail -n 20 "$work/build.log")"
}

# make_container NAME IP: create it from the image, not yet connected. Its own name resolves, as Gloo requires.
make_container() {
    "${storage[@]}" from --quiet --name "$spaces-$1" --add-host "ddl-$1:$2" "$image" > /dev/null
    install --directory --owner=1000 --group=1000 --mode=700 "$work/keys" "$work/$1"
    ip netns add "$spaces-$1"
    ip -n "$spaces-$1" link set lo up
}

connect() {
    ip link add eth0 netns "$spaces-master" type veth peer name eth0 netns "$spaces-worker"
    ip -n "$spaces-master" addr add "$master_ip/24" dev eth0
    ip -n "$spaces-worker" addr add "$worker_ip/24" dev eth0
    ip -n "$spaces-master" link set eth0 up
    ip -n "$spaces-worker" link set eth0 up
}

check_tree() {
    local tree
    tree="$("${storage[@]}" mount "$spaces-master")"
    say "image: $(du -sh "$tree" | cut -f 1) unpacked, of which $(du -sh "$tree/opt/venv" | cut -f 1) in /opt/venv"
    ! compgen -G "$tree/etc/ssh/ssh_host_*" > /dev/null || fail "the image holds host keys"
    [[ ! -e "$tree/usr/bin/g++" && ! -e "$tree/usr/bin/make" ]] || fail "the image holds a compiler"
    [[ ! -s "$tree/etc/pip.conf" ]] || fail "the image holds pip's settings"
    [[ -z "$(find "$tree/keys" "$tree/run/ddl" -type f)" ]] || fail "the image holds keys"
}

# choose_container NAME: set `inside` to the command that starts its entry point, as an engine would.
choose_container() {
    # shellcheck disable=SC2016  # the inner shell's own
    inside=(ip netns exec "$spaces-$1" unshare --uts --ipc bash -c 'hostname "$1" && shift && exec "$@"' - "ddl-$1"
        "${storage[@]}" run --isolation chroot --hostname "ddl-$1" --volume "$work/keys:/keys"
        --volume "$work/$1:/workspace" "$spaces-$1" -- "$entrypoint")
}

in_master() { # in_master LOG COMMAND...
    local log="$1"
    shift
    choose_container master
    run "$log" "${inside[@]}" "$@"
}

start_worker() {
    local log="$work/worker.log"
    choose_container worker
    start "$log" "${inside[@]}" worker
    for _ in {1..100}; do
        ! grep -q "Server listening" "$log" || return 0
        sleep 0.3
    done
    fail "the worker did not start to listen: $(cat "$log")"
}

check_strangers() {
    # shellcheck disable=SC2016
    local attempt='ssh-keygen -q -t ed25519 -N "" -f /tmp/stranger; ssh -F none -i /tmp/stranger -p 12345 \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes ddl@'"$worker_ip true"
    ! in_master "$work/stranger.log" bash -c "$attempt" || fail "the worker admitted an unknown key"
    grep -q "Permission denied (publickey)" "$work/stranger.log" ||
        fail "the unknown key was not refused as expected: $(tail -n 3 "$work/stranger.log")"
    say "the worker refuses any key but the shared one"
}

# check_run RUN LOG: both containers took part, root owns no file, and the model has learned.
check_run() {
    local folder="$work/master/$1" found
    [[ -s "$folder/model.keras" ]] || fail "no $folder/model.keras: $(tail -n 20 "$2")"
    [[ -z "$(find "$folder" ! -user 1000)" ]] || fail "some files in $folder do not belong to the image's user"
    found="$(python3 - "$folder" "$least_dice" <<'END'
import json, pathlib, sys

folder, least = pathlib.Path(sys.argv[1]), float(sys.argv[2])
hosts = json.loads((folder / "facts.json").read_text())["starts"][-1]["hosts"]
dice = json.loads((folder / "history.jsonl").read_text().splitlines()[-1])["val_dice"]
if hosts != {"ddl-master": 1, "ddl-worker": 1} or dice < least:
    sys.exit(f"hosts {hosts}, validation Dice {dice:.3f}, expected one rank on each host and {least} or more")
print(f"validation Dice {dice:.3f}, ranks on {' and '.join(hosts)}")
END
    )" || fail "$1: the run has unexpected results"
    say "$1: model.keras is there, $found"
}

train_with_mpirun() {
    say "mpirun: one rank in each container"
    in_master "$work/mpirun.log" mpirun -np 2 -H "$master_ip:1,$worker_ip:1" --bind-to none \
        --mca plm_rsh_args "-p 12345" --mca oob_tcp_if_include eth0 --mca btl_tcp_if_include eth0 \
        -x HOROVOD_FUSION_THRESHOLD=134217728 -x OMP_NUM_THREADS=1 \
        python -u /opt/ddl/scripts/train_unet.py --run-dir /workspace/mpirun --epochs 5 ||
        fail "mpirun failed: $(tail -n 20 "$work/mpirun.log")"
    check_run mpirun "$work/mpirun.log"
}

train_with_entrypoint() {
    say "train: the same through run_unet.sh"
    in_master "$work/train.log" env NP=2 HOSTS="$master_ip:1,$worker_ip:1" INTERFACE=eth0 OMP_NUM_THREADS=1 \
        RUN_DIR=/workspace/train "$entrypoint" train --epochs 5 || fail "train failed: $(tail -n 20 "$work/train.log")"
    check_run train "$work/train.log"
}

# shellcheck disable=SC2317  # called by the trap
clean_up() {
    local status=$? name mounted
    trap - EXIT INT TERM
    for name in "${processes[@]}"; do
        # unshare ignores SIGTERM. When it ends, the kernel ends everything that it started.
        kill -KILL "$name" 2> /dev/null || true
    done
    wait 2> /dev/null || true
    for name in master worker; do
        ip netns delete "$spaces-$name" 2> /dev/null || true
        "${storage[@]}" rm "$spaces-$name" > /dev/null 2>&1 || true
    done
    mounted="$(awk -v work="$work/" 'index($2, work) == 1 {print $2}' /proc/self/mounts | sort -r)"
    for name in $mounted; do
        umount "$name" || { echo "two_containers: cannot unmount $name; keeping $work" >&2 && exit 1; }
    done
    if [[ "$kept" == yes ]]; then
        rm -rf "$work/keys" "$work/master" "$work/worker" "$work"/pip.*
    else
        rm -rf "$work"
    fi
    exit "$status"
}

check_tools
kept=no
if [[ -n "${1:-}" ]]; then
    kept=yes
    mkdir -p "$1"
    work="$(cd "$1" && pwd)"
else
    work="$(mktemp -d /var/tmp/ddl-containers.XXXXXX)"
fi
set_storage
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

make_base
build_image
make_container worker "$worker_ip"
make_container master "$master_ip"
connect
check_tree
in_master "$work/key.log" make-key
start_worker
check_strangers
train_with_mpirun
train_with_entrypoint
say "done"
