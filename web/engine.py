"""The engine of calls: the relay below, the hub above, and the watch over this machine's addresses."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from accounts.tokens import Tokens
from core import addresses
from core.clock import Clock
from core.config import Config
from core.db import Database
from core.errors import ConfigError
from media.description import VoiceProfile
from media.events import MediaEvent
from media.grading import Limits
from media.relay import Relay, RelayConfig
from signaling.endpoint import signal_handler
from signaling.hub import Hub
from signaling.joining import SignalingSettings
from signaling.server_messages import IceServer
from web.client import client_address, own_origins
from web.place import comer_of
from web.recording import LiveStudio

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 10.0


def settings(config: Config) -> SignalingSettings:
    """Choose from all settings those of signaling."""
    return SignalingSettings(
        grace_s=config.grace_s,
        ice_servers=tuple(
            IceServer([*server.urls], server.username, server.credential) for server in config.ice_servers
        ),
        turned_on=config.video_codecs,
        voice=VoiceProfile(
            bitrate_bps=config.voice_bitrate_kbps * 1000,
            ptime_ms=config.voice_ptime_ms,
        ),
        limits=Limits(config.quality_fair, config.quality_poor),
    )


class LiveEngine:
    """The real engine."""

    def __init__(
        self, config: Config, clock: Clock, database: Database, tokens: Tokens, studio: LiveStudio
    ) -> None:
        self._config = config
        self._studio = studio
        self._watch: asyncio.Task[None] | None = None
        found = addresses.local_interfaces()
        self._advertised = self._choose(found)
        container = addresses.in_container() and not config.loopback_only
        addresses.require(
            config.media_addresses,
            self._advertised,
            container=container if config.container is None else config.container,
        )
        self.media = Relay(
            RelayConfig(
                bind=addresses.bound(config.media_addresses, found),
                port=config.media_port,
                advertise=self._advertised,
            ),
            on_event=self._on_media_event,
        )
        self.calls = Hub(
            db=database.sessions,
            clock=clock,
            relay=self.media,
            settings=settings(config),
            tokens=tokens,
            studio=studio,
        )
        self.survey = self.calls.survey
        origins = own_origins(config) | config.embedders
        self.signal = signal_handler(
            self.calls,
            comer_of=comer_of,
            origin_allowed=origins.__contains__,
            address_of=lambda request: client_address(request, config),
        )

    def _on_media_event(self, event: MediaEvent) -> None:
        self.calls.on_media_event(event)

    def _choose(self, found: tuple[addresses.Interface, ...]) -> tuple[tuple[str, int], ...]:
        return addresses.advertised(
            self._config.media_addresses,
            reach=addresses.reach_of(self._config.public_host),
            interfaces=found,
            port=self._config.media_port,
        )

    async def start(self) -> None:
        """Open the media port, take calls, and keep an eye on the machine's addresses."""
        try:
            await self.media.start()
        except OSError as error:
            raise ConfigError(
                f"The media port {self._config.media_port} cannot be opened ({error.strerror}): "
                "set TEDUH_MEDIA_PORT to one that is free for UDP and TCP."
            ) from None
        await self.calls.start()
        self._watch = asyncio.create_task(self._look(), name="engine.look")

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Exception:  # whatever it was, the next look may work, and calls go on
                logger.exception("addresses.failed")

    async def look(self) -> None:
        """Look at the machine's addresses again; the offers to come name those there are now."""
        found = addresses.local_interfaces()
        await self.media.bind(addresses.bound(self._config.media_addresses, found))
        chosen = self._choose(found)
        if chosen != self._advertised:
            self._advertised = chosen
            self.media.advertise(chosen)
            logger.info("addresses.changed", extra={"count": len(chosen)})

    async def tell_everybody(self) -> None:
        """Close every socket with 1012."""
        await self.calls.close()

    async def close(self) -> None:
        """End the watch, the calls, the media port, and the process that records, in this order."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self.tell_everybody()
        await self.media.close()
        await self._studio.close()
