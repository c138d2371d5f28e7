"""A real Slurm of the tests: a controller and two nodes on loopback, each node with a home and state directory."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually, is_dead, kill_and_wait

NODES = ("n1", "n2")
CLUSTER = "trial"
# Sessions at once on a node.
_CPUS = 8
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_STOP_SECONDS = 20


def _find_program(name: str) -> str:
    program = shutil.which(name, path=_PATH)
    assert program is not None, f"{name} is not installed; run scripts/system-packages"
    return program


@dataclass
class Slurm:
    """A running cluster, in `directory`."""

    directory: Path
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def configuration(self) -> Path:
        return self.directory / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.configuration)}

    def run(self, *command: str) -> str:
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """Return the state of each job."""
        lines = self.run("squeue", "--all", "--noheader", "--states=all", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def set_environment(self, node: str, environment: dict[str, str]) -> None:
        """Set the environment of jobs that begin on a node from now on."""
        lines = "".join(f"export {name}={value}\n" for name, value in environment.items())
        (self.directory / f"environment-{node}").write_text(lines)

    def start(self) -> None:
        assert os.geteuid() == 0, "the tests of Slurm need root"
        self._write_configuration()
        self._start("munged", *self._munged_options())
        eventually((self.directory / "munge.socket").exists, "the socket of munged")
        self._start("slurmctld", "-D", "-c", "-f", str(self.configuration))
        for node in NODES:
            self.start_node(node)
        eventually(self.is_ready, "the nodes to be idle", 60)

    def start_node(self, node: str) -> None:
        self._start("slurmd", "-D", "-N", node, "-f", str(self.configuration), name=node)

    def stop(self) -> None:
        """End all jobs, and then the daemons."""
        for daemon in self.daemons.values():
            daemon.send_signal(signal.SIGCONT)
        self.end_jobs()
        for name in ("slurmctld", *NODES, "munged"):
            if name in self.daemons:
                daemon = self.daemons.pop(name)
                children = [] if daemon.poll() is not None else psutil.Process(daemon.pid).children(recursive=True)
                daemon.terminate()
                try:
                    daemon.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
                for child in children:
                    kill_and_wait(child)
        for step in self.steps():
            kill_and_wait(step)

    def steps(self) -> list[psutil.Process]:
        """Return the processes that watch over the jobs of this cluster."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                is_step = process.name() == "slurmstepd" and not is_dead(process)
                if is_step and process.environ().get("SLURM_CONF") == str(self.configuration):
                    found.append(process)
        return found

    def end_jobs(self) -> None:
        """Cancel all jobs, and wait until they have ended."""
        if "slurmctld" in self.daemons and self.daemons["slurmctld"].poll() is None:
            for job, state in self.jobs().items():
                if state in ("PENDING", "RUNNING", "COMPLETING"):
                    self.run("scancel", "--quiet", job)
            eventually(lambda: not {"PENDING", "RUNNING", "COMPLETING"} & {*self.jobs().values()}, "all jobs to end")

    def is_ready(self) -> bool:
        for name, daemon in self.daemons.items():
            assert daemon.poll() is None, (self.directory / f"{name}.log").read_text()
        environment = {**os.environ, **self.environment}
        command = ["sinfo", "--noheader", "--Node", "--format=%N %T"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
        return done.stdout.split() == [word for node in NODES for word in (node, "idle")]

    def _start(self, program: str, *arguments: str, name: str = "") -> None:
        with open(self.directory / f"{name or program}.log", "ab") as log:
            self.daemons[name or program] = subprocess.Popen(
                [_find_program(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **self.environment},
                start_new_session=True,
            )

    def _munged_options(self) -> Sequence[str]:
        key = self.directory / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "messages", "seed-file": "seed"}
        files = [f"--{option}={self.directory}/munge.{name}" for option, name in names.items()]
        return ["--foreground", "--force", *files]

    def _write_configuration(self) -> None:
        host = os.uname().nodename.partition(".")[0]
        controller, *node_ports = _free_ports(1 + len(NODES))
        directory = self.directory
        settings = {
            "ClusterName": CLUSTER,
            "SlurmctldHost": f"{host}(127.0.0.1)",
            "SlurmctldPort": controller,
            "AuthInfo": f"socket={directory}/munge.socket",
            "SlurmUser": "root",
            "StateSaveLocation": directory / "state",
            "SlurmdSpoolDir": directory / "spool-%n",
            "SlurmctldPidFile": directory / "slurmctld.pid",
            "SlurmdPidFile": directory / "slurmd-%n.pid",
            "SlurmctldLogFile": directory / "slurmctld.messages",
            "SlurmdLogFile": directory / "slurmd-%n.messages",
            "SlurmdParameters": "config_overrides",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "TaskProlog": directory / "prolog",
            "MailProg": "/bin/true",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_CPU",
            "SchedulerParameters": "batch_sched_delay=0,sched_interval=1,sched_min_interval=0",
            "ReturnToService": "2",
            # A busy machine is not a lost node.
            "SlurmdTimeout": "600",
            "MessageTimeout": "60",
            "BatchStartTimeout": "600",
            "KillWait": "2",
        }
        lines = [f"{name}={value}" for name, value in settings.items()]
        lines += [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={_CPUS}"
            for node, port in zip(NODES, node_ports, strict=True)
        ]
        lines.append("PartitionName=agents Nodes=ALL Default=YES MaxTime=INFINITE State=UP LLN=YES")
        self.configuration.write_text("\n".join(lines) + "\n")
        (directory / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        prolog = directory / "prolog"
        prolog.write_text(f'#!/bin/sh\nexec cat "{directory}/environment-$SLURMD_NODENAME"\n')
        prolog.chmod(0o755)
        for node in NODES:
            self.set_environment(node, {})
            (directory / f"spool-{node}").mkdir()
        (directory / "state").mkdir()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(listener.getsockname()[1]) for listener in listeners]


@contextmanager
def running_slurm() -> Iterator[Slurm]:
    directory = Path(tempfile.mkdtemp(prefix="hldctl-slurm-", dir="/tmp"))
    # For munged, which checks that all users can reach its socket.
    directory.chmod(0o755)
    cluster = Slurm(directory)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)


@dataclass
class Placing:
    """A machine where sessions are launched, and the nodes where they run."""

    slurm: Slurm
    here: Sandbox
    nodes: dict[str, Sandbox]
    earlier_jobs: set[str]
    """Of other tests."""

    def jobs(self) -> dict[str, str]:
        """Return the state of each job of the test."""
        return {job: state for job, state in self.slurm.jobs().items() if job not in self.earlier_jobs}

    def serve_script(self, script: str) -> None:
        self.here.serve_script(script)
        assert self.here.server is not None
        for node, sandbox in self.nodes.items():
            sandbox.environment |= self.here.server.environment()
            self.slurm.set_environment(node, sandbox.environment)

    def node_of(self, session_id: str) -> Sandbox:
        """Return the node that has a session."""
        (found,) = [each for each in self.nodes.values() if each.files(session_id).directory.exists()]
        return found


@contextmanager
def placing(slurm: Slurm, here: Sandbox, root: Path, url: str) -> Iterator[Placing]:
    """Let a machine launch sessions on the nodes of a cluster, all of which write the same record."""
    bin_directory = root / "bin"
    bin_directory.mkdir(parents=True)
    program = bin_directory / "hldctl"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hldctl "$@"\n')
    program.chmod(0o755)
    nodes = {name: Sandbox(root / name) for name in NODES}
    made = Placing(slurm, here, nodes, {*slurm.jobs()})
    try:
        for name, node in nodes.items():
            node.configure(f'[fleet]\nurl = "{url}"\n')
            node.environment["PATH"] = f"{bin_directory}:{node.environment['PATH']}"
            slurm.set_environment(name, node.environment)
        # Not the environment of the user who runs the tests, which takes seconds to load.
        here.configure(f'[fleet]\nurl = "{url}"\n[slurm]\noptions = ["--export=NIL"]\n')
        here.environment |= slurm.environment
        yield made
    finally:
        slurm.end_jobs()
        for node in nodes.values():
            node.close()
