"""Flags and commands that scripts/elastic.py refuses, and a piece of the one line that tells so."""

from __future__ import annotations

from tests.scripts.spoiled import Row, file, then

BEHIND = " -- train.py"
script = file("train.py", "pass")

ELASTIC = [
    Row("elastic", "nothing behind the lone --. Expected: a training script with its flags"),
    Row("elastic --min-ranks 2 -- ", "nothing behind the lone --"),
    Row(
        "elastic -- ./run_unet.sh", "./run_unet.sh behind the lone --. Expected: a training script"
    ),
    Row(
        "elastic -- train.py --dry-run", "--dry-run behind the lone --. Expected: a command", script
    ),
    Row("elastic -- nowhere.py", "nowhere.py, which is no file. Expected: a training script."),
    Row("elastic --min-ranks 0" + BEHIND, "min_ranks=0 for elastic training. Expected: at least 1"),
    Row("elastic --max-ranks -1" + BEHIND, "max_ranks=-1 for elastic training."),
    Row(
        "elastic --min-ranks 4 --max-ranks 2" + BEHIND,
        "max_ranks=2 with min_ranks=4. Expected: at least --max-ranks 4",
    ),
    Row("elastic --min-ranks 100000" + BEHIND, "min_ranks=100000 on this machine of", script),
    Row("elastic --cooldown-s -3" + BEHIND, "cooldown_s=-3.0 for elastic training"),
    Row(
        "elastic --check-every-s 0" + BEHIND,
        "check_every_s=0.0 for elastic training. Expected: above 0",
    ),
    Row("elastic --ssh-port 70000" + BEHIND, "ssh_port=70000 for elastic training"),
    Row(
        "elastic --launcher srun" + BEHIND, "launcher='srun'. Expected one of: mpirun, horovodrun."
    ),
    Row("elastic --hosts-command ''" + BEHIND, "hosts_command=''. Expected: a command"),
    Row('elastic --launcher-flags "\'x"' + BEHIND, "which cannot be split into words"),
    Row(
        "elastic --hosts-command ./hosts.sh" + BEHIND,
        "hosts_command=./hosts.sh, which cannot be started (No such file or directory)",
        script,
    ),
    Row(
        "elastic --hosts-command 'cat hosts'" + BEHIND,
        "whose output is no list of hosts. Received: 'a b c' in line 1. Expected: HOST or HOST:SLOTS.",
        then(script, file("hosts", "a b c")),
    ),
    Row(
        "elastic --hosts-command false" + BEHIND,
        "hosts_command=false, which ended with status 1",
        script,
    ),
    Row(
        "elastic --hosts-command 'sleep 9' --hosts-timeout-s 0.1" + BEHIND,
        "which has not ended after 0.1 s. Expected: a list of hosts by then, or a longer --hosts-timeout-s",
        script,
    ),
    Row("elastic --max-rank 2" + BEHIND, "unknown flag --max-rank. Expected: --max-ranks"),
    Row("elastic" + BEHIND, "train.py, which does not tell its plan", script),
]
