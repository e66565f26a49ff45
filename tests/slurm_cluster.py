"""A real Slurm for a test: munge, a controller and two nodes on loopback, without systemd."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where every Slurm command looks when SLURM_CONF is not in its environment. The executor plugin
# removes SLURM_* from the environment of a job, so no other place would do.
CONFIGURATION = Path("/etc/slurm/slurm.conf")
MUNGE_FOLDER = Path("/run/munge")
NODES = ("n1", "n2")
TEMPLATE = """\
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2
MinJobAge=7200
MessageTimeout=60
KillWait=5
InactiveLimit=0
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port=17001 CPUs=16 RealMemory=64000 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port=17002 CPUs=16 RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP LLN=YES
"""


class NoSlurmError(Exception):
    """Slurm cannot be started here; the text says why."""


@dataclass(frozen=True)
class Job:
    """A job as `squeue` shows it; `comment` names the rule or the group, with its wildcards."""

    number: str
    state: str
    node: str
    limit: str
    memory: str
    comment: str

    def processes(self) -> dict[int, str]:
        """Return process id -> command line of everything that runs for this job."""
        mark = f"SLURM_JOB_ID={self.number}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it may just have ended
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    text = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(folder.name)] = text
        return found

    def send(self, number: signal.Signals) -> None:
        """Send a signal to everything that runs for this job."""
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)


def jobs() -> list[Job]:
    """Return all jobs of the last minutes, finished ones included, oldest first."""
    text = words("squeue", "--states=all", "--noheader", "--sort=i", "--format=%i|%T|%N|%l|%m|%k")
    return [Job(*line.split("|", 5)) for line in text.splitlines()]


def words(*command: str) -> str:
    """Return what a command of Slurm prints; raise RuntimeError when the tenth attempt fails."""
    for attempt in range(10):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
        time.sleep(attempt)  # a controller on a busy machine does not always answer
    raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return what `condition()` gives once it is true; raise TimeoutError naming `what`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.5)
    return value


def install() -> None:
    """Install Debian's Slurm and munge where they are missing, or raise NoSlurmError."""
    if os.geteuid() != 0:
        raise NoSlurmError("not root, who alone can install and start Slurm's daemons")
    if any(map(running, ("slurmctld", "slurmd"))):
        raise NoSlurmError("a Slurm runs on this machine already, and it is not ours to stop")
    if all(map(shutil.which, ("slurmctld", "slurmd", "sbatch", "munged"))):
        return
    if not shutil.which("apt-get"):
        raise NoSlurmError("Slurm is not installed and there is no apt-get to install it with")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "slurm-wlm", "munge"],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoSlurmError(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")


def running(name: str) -> bool:
    """Tell whether a process of that name is running."""
    return subprocess.run(["pgrep", "-x", name], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def daemon(folder: Path, *command: str, user: str | None = None) -> Iterator[None]:
    """Run a daemon in the foreground for the length of the block, its words in `folder`."""
    with (folder / f"{'.'.join(command[::2])}.out").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            start_new_session=True,  # an interrupt of the test must not end it before its jobs
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(120)


@contextlib.contextmanager
def munge(folder: Path) -> Iterator[None]:
    """Have munge answer during the block; one that answers already is used as it is."""
    if munge_answers():
        yield
        return
    created = not MUNGE_FOLDER.exists()
    MUNGE_FOLDER.mkdir(exist_ok=True)
    shutil.chown(MUNGE_FOLDER, "munge", "munge")
    try:
        with daemon(folder, "munged", "--foreground", user="munge"):
            wait_for(munge_answers, 120, "munge")
            yield
    finally:
        if created:
            shutil.rmtree(MUNGE_FOLDER, ignore_errors=True)


def munge_answers() -> bool:
    """Tell whether a credential can be made and read."""
    done = subprocess.run("munge -n | unmunge", shell=True, capture_output=True, check=False)
    return done.returncode == 0


@contextlib.contextmanager
def configuration(folder: Path) -> Iterator[None]:
    """Put our slurm.conf in its place during the block, then back what was there before."""
    before = CONFIGURATION.read_bytes() if CONFIGURATION.exists() else None
    CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname().split(".")[0]
    CONFIGURATION.write_text(TEMPLATE.format(host=host, folder=folder))
    try:
        yield
    finally:
        if before is None:
            CONFIGURATION.unlink()
        else:
            CONFIGURATION.write_bytes(before)


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[None]:
    """Have two idle nodes during the block; afterwards no job, daemon or file of it is left."""
    (folder / "state").mkdir()
    with contextlib.ExitStack() as stack:
        stack.enter_context(configuration(folder))
        stack.enter_context(munge(folder))
        stack.enter_context(daemon(folder, "slurmctld", "-D", "-i", "-c"))
        for node in NODES:
            (folder / f"spool.{node}").mkdir()
            stack.enter_context(daemon(folder, "slurmd", "-D", "-N", node))
        wait_for(lambda: idle_nodes() == len(NODES), 300, "two idle nodes")
        try:
            yield
        finally:
            words("scancel", "--full", "--user", str(os.geteuid()))
            wait_for(lambda: not words("squeue", "--noheader").strip(), 300, "the end of all jobs")
    wait_for(lambda: not running("slurmstepd"), 300, "the end of the last job step")


def idle_nodes() -> int:
    """Return the number of idle nodes; 0 while the controller does not answer."""
    command = ["sinfo", "--noheader", "--Node", "--format=%T"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split().count("idle") if done.returncode == 0 else 0
