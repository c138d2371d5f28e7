"""A real PostgreSQL server of the tests: made by initdb, run by another user if the tests run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from hldctl.fleet import membership
from hldctl.fleet.record.connection import connect
from tests.helpers.sandbox import TIMEOUT_SECONDS, eventually

USER = "hldctl"
_TEMPLATE = "inited"
# What is lost in a crash of the machine does not matter here.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "512MB",
}


def _find_program(name: str) -> str:
    """Return the path of a program of PostgreSQL: in $HLDCTL_TEST_POSTGRES, or else of the newest version."""
    places = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    usual = os.pathsep.join([*places, os.environ["PATH"]])
    program = shutil.which(name, path=os.environ.get("HLDCTL_TEST_POSTGRES", usual))
    assert program is not None, f"{name} of PostgreSQL is not installed; run scripts/system-packages"
    return program


@dataclass
class Server:
    """A running server, reached by a socket in `directory`."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None
    made: int = 0
    port: int | None = None
    """The port that is served with TLS; None if it only has a socket."""
    address: str = "127.0.0.1"
    """The address of that port."""
    entrance: tuple[str, ...] = ()
    """What it is run by, if that is another network; needs root."""

    def url(self, database: str) -> str:
        port = "" if self.port is None else f" port={self.port}"
        return f"host={self.directory} user={USER} dbname={database}{port}"

    def make_certificate(self, host: str) -> None:
        """Make a certificate for the host, signed by itself, in `server.crt`."""
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout server.key"
        names = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
        command_line = [*command.split(), "-out", "server.crt", *names]
        options = {**_as_other_user(), "cwd": self.directory}
        subprocess.run(command_line, check=True, capture_output=True, **options)

    def start(self) -> None:
        given = _SETTINGS
        if self.port is not None:
            files = {"ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
            paths = {name: str(self.directory / file) for name, file in files.items()}
            given = {**given, **paths, "ssl": "on", "listen_addresses": self.address, "port": str(self.port)}
        settings = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        command = [_find_program("postgres"), "-D", str(self.directory / "data"), "-k", str(self.directory), *settings]
        options = _as_other_user()
        if self.entrance:
            # Only root may enter; nsenter becomes the other user then.
            user = (f"--setuid={options.pop('user')}", f"--setgid={options.pop('group')}")
            command = [*self.entrance, *user, *command]
        log = (self.directory / "log").open("ab")
        with log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        eventually(self._is_ready, "the server to accept connections")

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop the server; by default as a crash would."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(TIMEOUT_SECONDS)

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "log").read_text()
        with suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres")):
            return True
        return False

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def make_database(self, template: str | None = None) -> str:
        """Make a database and return its name."""
        self.made += 1
        name = f"test_{self.made}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        return name


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running_server(
    *, tls_host: str | None = None, address: str = "127.0.0.1", entrance: tuple[str, ...] = (), template: bool = True
) -> Iterator[Server]:
    """Run a server; with `tls_host`, also at a port, with a certificate for that name.

    Without `template`, it has no record yet, and no role of operators.
    """
    directory = Path(tempfile.mkdtemp(prefix="hldctl-pg-", dir="/tmp"))
    server = Server(directory, port=None if tls_host is None else _free_port(), address=address, entrance=entrance)
    try:
        user = _as_other_user()
        if user:
            os.chown(directory, user["user"], user["group"])
        command = [_find_program("initdb"), "-D", str(directory / "data"), "-U", USER, "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, **user)
        if tls_host is not None:
            server.make_certificate(tls_host)
            with (directory / "data" / "pg_hba.conf").open("a") as rules:
                rules.write("hostssl all all all trust\n")
        server.start()
        if template:
            server.execute(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
            membership.init(server.url(_TEMPLATE))
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _as_other_user() -> dict[str, Any]:
    """Return the options that run a program as another user; PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    other = pwd.getpwnam("nobody")
    return {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": [], "cwd": "/"}


@dataclass
class Record:
    """A database with the tables of a record."""

    server: Server
    url: str
    name: str = field(default="")

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement and return the rows, if there are any."""
        connection = connect(self.url)
        try:
            cursor = connection.execute(statement, parameters)
            return [] if cursor.description is None else cursor.fetchall()
        finally:
            connection.close()


@contextmanager
def fresh_record(server: Server) -> Iterator[Record]:
    name = server.make_database(_TEMPLATE)
    try:
        yield Record(server, server.url(name), name)
    finally:
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
