"""Another machine: a second home and state directory, reached through a real sshd on loopback."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually, kill_and_wait

NAME = "build"
_SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass
class OtherMachine:
    """What commands of `here` reach as `build`."""

    here: Sandbox
    there: Sandbox
    directory: Path
    port: int
    server: subprocess.Popen[bytes] | None = None

    def configure(self) -> None:
        """Write the keys and the configuration of both sides."""
        for name in ("host", "id"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / name],
                check=True,
                timeout=TIMEOUT_SECONDS,
            )
        host_key = " ".join((self.directory / "host.pub").read_text().split()[:2])
        (self.directory / "known").write_text(f"{NAME} {host_key}\n")
        shutil.copy(self.directory / "id.pub", self.directory / "authorized")
        (self.directory / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.directory}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self.directory}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"SetEnv HOME={self.there.home} PATH={self.bin}:/usr/bin:/bin HLDCTL_HOME={self.there.state.root}\n"
        )
        (self.directory / "ssh_config").write_text(
            f"Host {NAME}\n HostName 127.0.0.1\n Port {self.port}\n User {getpass.getuser()}\n"
            f" IdentityFile {self.directory}/id\n IdentitiesOnly yes\n HostKeyAlias {NAME}\n"
            f" UserKnownHostsFile {self.directory}/known\n"
        )
        self.here.environment["HLDCTL_SSH"] = f"ssh -F {self.directory}/ssh_config"
        self.install()

    @property
    def bin(self) -> Path:
        return self.directory / "bin"

    def install(self, program: str | None = None) -> None:
        """Install hldctl there, or another program under its name."""
        variables = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.there.environment.items())
        self.bin.mkdir(exist_ok=True)
        file = self.bin / "hldctl"
        run = f'{variables}exec {sys.executable} -m hldctl "$@"\n'
        file.write_text(f"#!/bin/sh\n{run if program is None else program}")
        file.chmod(0o755)

    def start(self) -> None:
        """Start sshd, and wait until it accepts connections."""
        assert _SSHD is not None, "sshd is not installed; run scripts/system-packages"
        if os.geteuid() == 0:
            # Otherwise it refuses to start as root.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command = [_SSHD, "-D", "-e", "-f", str(self.directory / "sshd_config")]
        with open(self.directory / "log", "ab") as log:
            self.server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        eventually(self._answers, "sshd to answer", 30)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def connections(self) -> list[psutil.Process]:
        """Return the processes of sshd that serve a connection."""
        assert self.server is not None
        return psutil.Process(self.server.pid).children()

    def cut_connections(self) -> None:
        for process in self.connections():
            kill_and_wait(process)

    def stop(self) -> None:
        """Stop sshd and all its connections."""
        if self.server is not None:
            connections = self.connections()
            self.server.kill()
            self.server.wait()
            self.server = None
            for process in connections:
                kill_and_wait(process)

    def readers(self) -> list[psutil.Process]:
        """Return the commands that run there for somebody elsewhere."""
        return self.there.processes_with_argument("_serve")

    def has_reader(self) -> bool:
        """Return whether a command has its request: below the process that watches the connection."""
        readers = self.readers()
        return any(reader.ppid() in [each.pid for each in readers] for reader in readers)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def other_machine(here: Sandbox, root: Path) -> Iterator[OtherMachine]:
    """Give `here` another machine, reached as NAME."""
    there = Sandbox(root / "there")
    directory = root / "ssh"
    directory.mkdir()
    # The path of a socket has to be short.
    runtime = tempfile.mkdtemp(prefix="hldctl-", dir="/tmp")
    here.environment["XDG_RUNTIME_DIR"] = runtime
    machine = OtherMachine(here, there, directory, _free_port())
    try:
        machine.configure()
        machine.start()
        yield machine
    finally:
        machine.stop()
        here.power_off()
        there.close()
        shutil.rmtree(runtime)
