"""One participant's whole network: its media proxy and its HTTP proxy, cut or healed together."""

from __future__ import annotations

from tests.netem.model import CLEAN, Conditions
from tests.netem.proxy import Address, Proxy


class Network:
    """Between one participant and the server.

    ``media`` carries UDP and TCP of the media port, ``http`` the page, the API and the WebSocket.
    """

    def __init__(self, *, media: Address, http: Address, seed: int = 1) -> None:
        self.media = Proxy(media, seed=seed)
        self.http = Proxy(http, seed=seed + 10, udp=False)

    async def start(self, host: str = "127.0.0.1", *, media_port: int = 0, http_port: int = 0) -> None:
        """Bind both."""
        await self.media.start(host, media_port)
        await self.http.start(host, http_port)

    def cut(self) -> None:
        """No packet passes, media or signaling."""
        self.media.cut()
        self.http.cut()

    def heal(self) -> None:
        """Everything passes again."""
        self.media.heal()
        self.http.heal()

    def set(self, up: Conditions = CLEAN, down: Conditions | None = None) -> None:
        """The same conditions for media and signaling."""
        self.media.set(up, down)
        self.http.set(up, down)

    def rebind(self) -> None:
        """A NAT that forgot: new source ports, and every TCP connection is gone."""
        self.media.rebind()
        self.http.rebind()

    def move(self) -> None:
        """A new address, as from Wi-Fi to mobile data: no old socket works any more."""
        self.media.move()
        self.http.move()

    async def close(self) -> None:
        """Idempotent."""
        await self.media.close()
        await self.http.close()
