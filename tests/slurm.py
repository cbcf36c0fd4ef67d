"""A real SLURM of one node, in a folder of its own on loopback; it needs Debian's slurm-wlm and root."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scontrol")
START_S = 20

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=1
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={megabytes} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def one_node_slurm(folder: Path, *, cpus: int) -> Iterator[Mapping[str, str]]:
    """Start SLURM, give the environment in which its commands find it, and stop it; skip where it doesn't start."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if lacking := [name for name in PROGRAMS if shutil.which(name, path=path) is None]:
        pytest.skip(f"no SLURM here: {', '.join(lacking)} is missing (Debian: apt-get install slurm-wlm munge)")
    if os.geteuid() != 0:
        pytest.skip("SLURM's daemons want to be root")
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    config = folder / "slurm.conf"
    places = {"host": host, "folder": folder, "controller": _free_port(), "daemon": _free_port()}
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    config.write_text(CONFIG.format(**places, cpus=cpus, megabytes=memory * 9 // 10 // 2**20))
    # slurmd loads a cgroup plugin even if nothing uses one; each works with one kind of mount.
    cgroups = "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1"
    (folder / "cgroup.conf").write_text(f"CgroupPlugin=cgroup/{cgroups}\nCgroupAutomount=no\n")
    environment = os.environ | {"PATH": path, "SLURM_CONF": str(config)}
    with ExitStack() as stack:
        munged = [
            "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
            f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed",
        ]  # fmt: skip
        for command in (munged, ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]):
            with (folder / f"{command[0]}.out").open("wb") as out:
                process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
            stack.callback(_end, process)
            time.sleep(1)
        deadline = time.monotonic() + START_S
        while (state := _node_state(environment)) != "idle":
            if time.monotonic() > deadline:
                pytest.skip(f"SLURM did not start here, its node is {state or 'unknown'}: {_last_words(folder)}")
            time.sleep(0.5)
        yield environment


def wait_for_jobs(environment: Mapping[str, str], *, timeout: float) -> None:
    """Until the queue is empty."""
    deadline = time.monotonic() + timeout
    while queue := _output(["squeue", "--noheader"], environment):
        assert time.monotonic() < deadline, f"still in the queue after {timeout} s:\n{queue}"
        time.sleep(0.5)


def _node_state(environment: Mapping[str, str]) -> str:
    return _output(["sinfo", "--noheader", "--format=%t"], environment)


def _output(command: list[str], environment: Mapping[str, str]) -> str:
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return ended.stdout.strip()


def _last_words(folder: Path) -> str:
    logs = sorted(folder.glob("*.log")) + sorted(folder.glob("*.out"))
    return "; ".join(f"{log.name}: {log.read_text(errors='replace').strip()[-300:]}" for log in logs)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
