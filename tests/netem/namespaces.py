"""A network namespace with two ways to the server: a device that leaves one network and enters another.

    server's namespace                      the device's namespace
    lo: 198.18.N.1/32 ---- wifi    198.18.N.9 | 198.18.N.10   up at first
                     `---- mobile  198.18.N.17 | 198.18.N.18  up after ``move``

Each way is a ``Wire``: what the model of a bad line can do, it does to every packet on it (``wires``).

Needs root, /dev/net/tun and iproute2. Each way has a subnet of its own, so the device's address
changes and its old sockets send into nothing, without a reset: as with a real telephone.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.netem.wire import Wire

WIFI, MOBILE = "wifi", "mobile"


def ip(*words: str) -> None:
    """Run ``ip``. Raises CalledProcessError."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Roaming:
    """A device in a namespace of its own, and the address at which it reaches a server of this one."""

    def __init__(self, *, seed: int = 1) -> None:
        number = os.getpid() % 250 + 1
        self.name = f"teduh-{os.getpid()}"
        self.server = f"198.18.{number}.1"
        self._net = f"198.18.{number}"
        self._first_host = {WIFI: 8, MOBILE: 16}
        self._seed = seed
        self.wires: dict[str, Wire] = {}

    def __enter__(self) -> Self:
        ip("netns", "add", self.name)
        try:
            ip("address", "add", f"{self.server}/32", "dev", "lo")
            ip("-n", self.name, "link", "set", "lo", "up")
            for link in (WIFI, MOBILE):
                self._lay(link)
            self._up(WIFI)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lay(self, link: str) -> None:
        first = self._first_host[link]
        outer, inner = f"td{os.getpid()}{link[0]}", f"ti{os.getpid()}{link[0]}"
        wire = self.wires[link] = Wire(outer, inner, seed=self._seed + first)
        ip("link", "set", inner, "netns", self.name)
        ip("-n", self.name, "link", "set", inner, "name", link)
        ip("address", "add", f"{self._net}.{first + 1}/29", "dev", outer)
        ip("link", "set", outer, "up")
        ip("-n", self.name, "address", "add", f"{self._net}.{first + 2}/29", "dev", link)
        wire.start()

    def _up(self, link: str) -> None:
        ip("-n", self.name, "link", "set", link, "up")
        gateway = f"{self._net}.{self._first_host[link] + 1}"
        ip("-n", self.name, "route", "replace", "default", "via", gateway, "dev", link)

    def move(self) -> None:
        """Leave the first network for good and enter the second."""
        ip("-n", self.name, "link", "set", WIFI, "down")
        self._up(MOBILE)

    def forbid(self, port: int) -> None:
        """Let nothing go to this port of the server's any more, UDP or TCP (needs nftables)."""
        rules = (
            "add table inet teduh",
            "add chain inet teduh out { type filter hook output priority 0; }",
            f"add rule inet teduh out udp dport {port} drop",
            f"add rule inet teduh out tcp dport {port} reject with tcp reset",
        )
        words = ["ip", "netns", "exec", self.name, "/usr/sbin/nft", "; ".join(rules)]
        subprocess.run(words, check=True, capture_output=True)

    def command(self, folder: Path, program: str) -> Path:
        """Write a command that runs this program inside, with whatever arguments it gets."""
        script = folder / f"inside-{Path(program).name}"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {self.name} {program} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        return script

    def close(self) -> None:
        """Take everything away. Idempotent."""
        for words in (
            ("netns", "delete", self.name),
            ("address", "delete", f"{self.server}/32", "dev", "lo"),
        ):
            subprocess.run(["ip", *words], check=False, capture_output=True)
        for wire in self.wires.values():
            wire.close()
