"""Slurm for the tests: a controller and nodes on this machine, on loopback and free ports, ended in any case.

    with SlurmBed() as bed:
        bed.run("sbatch", "--wrap", "true")

Debian's packages are installed if they are missing (`tests.packages`). No systemd, no cgroups, no accounting.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from tests.experiments.beds.sweep import GUARD, end_all, marked
from tests.packages import find_program, require_programs

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge")
START_S = 30.0

_CONF = """
ClusterName=test
SlurmctldHost={host}({address})
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,bf_interval=2,sched_interval=2
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/jobcomp.txt
SwitchType=switch/none
MpiDefault=none
KillWait=5
ReturnToService=2
MessageTimeout=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
SlurmdParameters=config_overrides
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=20
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=short Nodes=ALL MaxTime=10 DefaultTime=5 State=UP PriorityTier=1 PreemptMode=OFF
"""


class SlurmBed:
    """A running Slurm of this user, with the partitions main (its default), high and short.

    Its nodes are n1, n2, ...; a single one has the name of this machine.
    """

    def __init__(
        self,
        *,
        nodes: int = 2,
        cores: int = 1,
        memory_mb: int = 2000,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Start it. `settings` are further lines of slurm.conf."""
        require_programs(PROGRAMS, PACKAGES)
        # Unix sockets stand in it, whose paths have at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="ddlslurm", dir="/tmp"))
        # Launchers compare the name of a node with that of the machine, as they are the same on a cluster.
        self.nodes = (self._host,) if nodes == 1 else tuple(f"n{n}" for n in range(1, nodes + 1))
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        atexit.register(self.stop)
        guard = [sys.executable, "-c", GUARD, str(os.getpid()), self._mark, str(self.folder)]
        self._guard = subprocess.Popen(guard, start_new_session=True)
        try:
            self._configure(cores, memory_mb, settings or {})
            self._start_munge()
            self.start_controller()
            for node in self.nodes:
                self.start_node(node)
            self.wait_until_idle()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> SlurmBed:
        """Return the bed."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def run(self, *words: str, stdin: str = "", timeout_s: float = 60) -> str:
        """Run a command of Slurm as a user does. Return what it prints; anything but success is an error."""
        done = subprocess.run(
            words,
            env=os.environ | self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.returncode}, {done.stderr}"
        return done.stdout

    def submit(self, name: str, script: str, *words: str) -> str:
        """Submit a script of sh. Return the id of the job."""
        flags = ("--parsable", "-J", name, "-o", str(self.folder / "log" / f"{name}.out"), *words)
        return self.run("sbatch", *flags, stdin=f"#!/bin/sh\n{script}\n").strip()

    def states(self, name: str) -> list[str]:
        """Return the states of all jobs with this name, newest first."""
        lines = self.run("squeue", "-h", "-t", "all", "-n", name, "-o", "%i %T").splitlines()
        return [state for _, state in sorted((line.split() for line in lines), reverse=True)]

    def wait_for(self, name: str, *states: str, timeout_s: float = 30) -> None:
        """Wait until a job with this name is in one of these states."""
        deadline = time.monotonic() + timeout_s
        while not set(states) & set(seen := self.states(name)):
            assert time.monotonic() < deadline, f"{name} is {seen}, not {states}\n{self.log()}"
            time.sleep(0.1)

    def cancel_all(self) -> None:
        """Cancel all jobs, kill what they run, and wait until none is left."""
        deadline = time.monotonic() + START_S
        while self.run("squeue", "-h"):
            self.run("scancel", "-u", pwd.getpwuid(os.geteuid()).pw_name)
            for pid in marked(self._mark, "SLURM_JOB_ID="):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert time.monotonic() < deadline, self.run("squeue")
            time.sleep(0.1)

    def pid(self, server: str) -> int:
        """Return the process number of "slurmctld" or of a node's slurmd ("n1")."""
        return self._processes[server].pid

    def kill(self, server: str) -> None:
        """Kill -9 the controller ("slurmctld") or a node's slurmd ("n1"). Its jobs live on."""
        self._processes[server].kill()
        self._processes.pop(server).wait()

    def lose(self, node: str) -> None:
        """End a node's slurmd and all that runs on it at once, as a power cut does: nobody tells the controller."""
        self.kill(node)
        jobs = marked(self._mark, f"SLURMD_NODENAME={node}")
        steps = {psutil.Process(pid).ppid() for pid in jobs} - {1, os.getpid()}
        lost = [*steps, *jobs]
        for number in (signal.SIGSTOP, signal.SIGKILL):  # no step may see the end of its job
            for pid in lost:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    @contextlib.contextmanager
    def hung_controller(self) -> Iterator[None]:
        """Stop the controller so that it keeps connections and answers nothing; it goes on afterwards."""
        pid = self.pid("slurmctld")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def start_controller(self) -> None:
        """Start the controller, which goes on with what it knew."""
        self._start("slurmctld", "slurmctld", "-D")

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        self._start(node, "slurmd", "-D", "-N", node)

    def wait_until_idle(self) -> None:
        """Wait until all nodes are idle."""
        deadline = time.monotonic() + START_S
        words = ("sinfo", "-h", "-p", "main", "-o", "%T")
        env = os.environ | self.environment
        while True:
            done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
            if done.stdout.split() == ["idle"]:
                return
            assert time.monotonic() < deadline, f"{done.stdout}{done.stderr}{self.log()}"
            time.sleep(0.05)

    def log(self) -> str:
        """Return the ends of the servers' logs."""
        paths = sorted((self.folder / "log").glob("*.log"))
        return "".join(
            f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}\n" for path in paths
        )

    def stop(self) -> None:
        """End all jobs and servers, and remove the folder. A second call does nothing."""
        if not self.folder.exists():
            return
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes.clear()
        end_all(self._mark)
        self._guard.kill()
        self._guard.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _mark(self) -> str:
        """What stands in the environment of every process of it: servers, jobs, and their steps."""
        return f"SLURM_CONF={self.environment['SLURM_CONF']}"

    def _configure(self, cores: int, memory_mb: int, settings: Mapping[str, object]) -> None:
        for name in ("munge", "state", "run", "log", *(f"spool/{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge").chmod(0o700)
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        host = self._host
        port, *ports = free_ports(1 + len(self.nodes))
        names = {"host": host, "address": "127.0.0.1", "port": port, "folder": self.folder}
        text = _CONF.format(**names, user=pwd.getpwuid(os.geteuid()).pw_name)
        for node, node_port in zip(self.nodes, ports, strict=True):
            size = f"CPUs={cores} RealMemory={memory_mb} State=UNKNOWN"
            text += (
                f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={node_port} {size}\n"
            )
        values = {"SlurmdTimeout": 60, **settings}
        text += "".join(f"{name}={value}\n" for name, value in values.items())
        (self.folder / "slurm.conf").write_text(text)

    @property
    def _host(self) -> str:
        """The name of the machine as Slurm's servers and jobs see it."""
        return "localhost" if self._renames else socket.gethostname()

    @property
    def _renames(self) -> bool:
        """Whether the host's own name leads elsewhere than to loopback, where Slurm would then listen."""
        try:
            return not socket.gethostbyname(socket.gethostname()).startswith("127.")
        except OSError:
            return True

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        places = [
            f"--key-file={folder}/key",
            f"--socket={folder}/socket",
            f"--seed-file={folder}/seed",
        ]
        files = [
            f"--pid-file={self.folder}/run/munged.pid",
            f"--log-file={self.folder}/log/munged.log",
        ]
        self._start("munged", "munged", "--force", "--foreground", *places, *files)
        deadline = time.monotonic() + START_S
        while not (folder / "socket").exists():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def _start(self, name: str, program: str, *words: str) -> None:
        command = [str(find_program(program)), *words]
        if self._renames:
            user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
            named = 'hostname localhost; exec "$@"'
            command = ["unshare", *user, "--uts", "sh", "-c", named, "sh", *command]
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                env={"PATH": os.environ["PATH"], **self.environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
