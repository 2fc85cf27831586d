"""Connectivity checks to paths: who is asked, who is answered, and where a leg's media goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from media.events import MediaEvent, PathChanged
from media.ice import Check, Credentials, read_check, takes_over, write_response
from media.inbox import address_of, host_and_port, sockaddr
from media.leg import Leg
from media.paths import Path, TcpPath, UdpPath
from media.stun import peek_ufrag

if TYPE_CHECKING:
    from media.tcp import TcpConnection
    from media.udp import UdpSocket

# A path that was heard this recently belongs to its leg: one spoofed check must not silence it.
HELD_S = 3.0
# Checks of sources that have not proven themselves, all together: a second's worth, and a burst.
UNPROVEN_RATE = 1_000.0
UNPROVEN_BURST = 2_000.0


class Bucket:
    """A token bucket; times are monotonic seconds."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, 0.0

    def take(self, now: float) -> bool:
        """Take one token; False when none is left."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Checks:
    """Finds the leg of each Binding request by its ufrag, answers it, and moves paths."""

    def __init__(self, counters: Counter[str], tell: Callable[[MediaEvent], None]) -> None:
        self._counters = counters
        self._tell = tell
        self._by_ufrag: dict[str, tuple[Leg, Credentials]] = {}
        self._bucket = Bucket(UNPROVEN_RATE, UNPROVEN_BURST)

    def add(self, leg: Leg) -> None:
        """Accept checks with this leg's credentials."""
        for credentials in leg.credentials:
            self._by_ufrag[credentials.ufrag] = (leg, credentials)

    def renew(self, leg: Leg, now: float) -> None:
        """Give the leg new credentials (RFC 8445, 9); the former ones stay valid for a while."""
        self._retire(leg.renew_credentials(now))
        self.add(leg)

    def expire(self, leg: Leg, now: float) -> None:
        """Drop credentials whose time is over."""
        self._retire(leg.retire_credentials(now))

    def remove(self, leg: Leg) -> None:
        """Forget a closed leg: its credentials and its paths."""
        self._retire(leg.credentials)
        for path in [*leg.paths]:
            leg.drop_path(path)
            path.forget()

    def _retire(self, credentials: list[Credentials]) -> None:
        for old in credentials:
            self._by_ufrag.pop(old.ufrag, None)

    def udp(self, local: UdpSocket, source: bytes, data: bytes, now: float) -> None:
        """Take a STUN datagram; anything but an authentic check gets no answer."""
        known = local.paths.get(source)
        found = self._read(data, known, now)
        if found is None:
            return
        leg, check = found
        address = address_of(source)
        response = write_response(check, *host_and_port(source))
        try:
            local.raw.sendto(response, address)
        except OSError:
            self._counters["unsent"] += 1
        path = self._path(leg, known, lambda: UdpPath(local, address, leg), now)
        if path is not None:
            leg.count_exchange(path, len(data), len(response))
            self._accept(path, check, now)

    def tcp(self, connection: TcpConnection, data: bytes, now: float) -> None:
        """Take a STUN frame of an ICE-TCP connection."""
        found = self._read(data, connection.path, now)
        if found is None:
            return
        leg, check = found
        response = write_response(check, *host_and_port(sockaddr(connection.address)))
        connection.send(response, video=False)
        path = self._path(leg, connection.path, lambda: TcpPath(connection, leg), now)
        if path is not None:
            leg.count_exchange(path, len(data), len(response))
            self._accept(path, check, now)

    def _read(self, data: bytes, known: Path | None, now: float) -> tuple[Leg, Check] | None:
        ufrag = peek_ufrag(data)
        entry = self._by_ufrag.get(ufrag) if ufrag is not None else None
        if entry is None or (known is None and not self._bucket.take(now)):
            self._counters["unknown_source"] += 1
            return None
        leg, credentials = entry
        check = read_check(data, credentials)
        if check is None:
            self._counters["bad_checks"] += 1
            return None
        return leg, check

    def _path(self, leg: Leg, known: Path | None, make: Callable[[], Path], now: float) -> Path | None:
        """Find or make the leg's path for an authentic check; None while it is another leg's."""
        if known is not None and known.leg is leg:
            return known
        if known is not None:
            if now - known.heard_at < HELD_S or isinstance(known, TcpPath):
                return None
            known.leg.drop_path(known)
            known.forget()
        path = make()
        leg.add_path(path)
        return path

    def _accept(self, path: Path, check: Check, now: float) -> None:
        leg = path.leg
        path.heard_at = leg.heard_at = now
        if check.nominates:
            path.selected_at = now
        if takes_over(path, leg.path, check, current=leg.newest.generation, now=now):
            self._move(leg, path, check.credentials.generation)
        path.generation = max(path.generation, check.credentials.generation)

    def _move(self, leg: Leg, path: Path, generation: int) -> None:
        first, before = leg.path is None and not leg.connected, leg.path
        leg.path = leg.out = path
        # What went the old way is missing there, and was not lost on this one.
        leg.back_at = path.heard_at
        moved = before is not None and before.address[0] != path.address[0]
        renewed = before is not None and before.generation < generation
        self._tell(PathChanged(leg.id, path.transport, path.ip_version, first, moved=moved, renewed=renewed))
