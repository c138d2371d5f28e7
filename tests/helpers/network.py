"""Hosts with addresses of their own: network namespaces on one bridge, whose cables can be pulled. Needs root."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

_numbers = itertools.count()


@dataclass
class Network:
    """A bridge in the namespace of the first host, to which the others are connected."""

    prefix: str
    addresses: dict[str, str] = field(default_factory=dict)
    """The address of each host by its name."""

    def add(self, host: str) -> None:
        """Add a host, and connect it."""
        place = self._namespace(host)
        self.addresses[host] = f"10.99.0.{len(self.addresses) + 1}"
        _ip("netns", "add", place)
        _ip("-n", place, "link", "set", "lo", "up")
        hub = self._namespace(next(iter(self.addresses)))
        if place == hub:
            _ip("-n", hub, "link", "add", "cable", "type", "bridge")
        else:
            port = ("peer", "name", self._port(host), "netns", hub)
            _ip("-n", place, "link", "add", "cable", "type", "veth", *port)
            _ip("-n", hub, "link", "set", self._port(host), "master", "cable", "up")
        _ip("-n", place, "address", "add", f"{self.addresses[host]}/24", "dev", "cable")
        _ip("-n", place, "link", "set", "cable", "up")

    def entrance(self, host: str) -> tuple[str, ...]:
        """Return what a command is run by on this host, under its name."""
        rename = f'hostname {host} && exec "$@"'
        return (*self.network_entrance(host), "unshare", "--uts", "sh", "-c", rename, "sh")

    def network_entrance(self, host: str) -> tuple[str, ...]:
        """Return what a command is run by in the host's network alone. `ip netns exec` would hide cgroups."""
        return ("nsenter", f"--net=/run/netns/{self._namespace(host)}")

    def pull_cable(self, host: str) -> None:
        """Let everything to and from a host vanish, without an error."""
        _ip("-n", self._namespace(next(iter(self.addresses))), "link", "set", self._port(host), "down")

    def plug_in(self, host: str) -> None:
        _ip("-n", self._namespace(next(iter(self.addresses))), "link", "set", self._port(host), "up")

    def remove(self) -> None:
        for host in self.addresses:
            subprocess.run(["ip", "netns", "delete", self._namespace(host)], check=False, capture_output=True)

    def _namespace(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def _port(self, host: str) -> str:
        return f"to-{host}"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


@contextmanager
def network(hosts: Sequence[str]) -> Iterator[Network]:
    """Make a network of these hosts for the block."""
    made = Network(f"hldctl-{os.getpid()}-{next(_numbers)}")
    try:
        for host in hosts:
            made.add(host)
        yield made
    finally:
        made.remove()
