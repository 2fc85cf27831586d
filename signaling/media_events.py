"""What the relay tells of legs, told to the calls they belong to."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from core.clock import Clock
from media import events as media
from media.events import LegConnected, LegInterrupted, LegResumed, MediaEvent, PathChanged
from signaling import events as ev
from signaling.carrying import Carrier
from signaling.live import Live
from signaling.lives import Lives
from signaling.quality_counts import QualityCounts
from signaling.quality_watch import QualityWatch

logger = logging.getLogger(__name__)

Apply = Callable[[Live, ev.CallEvent], None]


class MediaEvents:
    """The events of the relay, in order. ``failed`` counts those that something went wrong with."""

    def __init__(
        self,
        *,
        lives: Lives,
        carrier: Carrier,
        watch: QualityWatch,
        counts: QualityCounts,
        clock: Clock,
        apply: Apply,
    ) -> None:
        self._lives = lives
        self._carrier = carrier
        self._watch = watch
        self._counts = counts
        self._clock = clock
        self._apply = apply
        self._waiting: deque[MediaEvent] = deque()
        self.failed = 0

    def put(self, event: MediaEvent) -> None:
        """Take an event. It is handled in the next turn of the loop, never within a command."""
        self._waiting.append(event)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._take_all)

    def drop(self) -> None:
        """Forget what was not handled yet."""
        self._waiting.clear()

    def _take_all(self) -> None:
        while self._waiting:
            event = self._waiting.popleft()
            live = self._lives.get(self._carrier.legs.get(event.leg))
            if live is None:
                continue
            try:
                self._take(live, event)
            except Exception:
                self.failed += 1
                logger.exception("signal.media_event_failed", extra={"kind": type(event).__name__})

    def _take(self, live: Live, event: MediaEvent) -> None:
        about = {"leg": event.leg, "session": live.id}
        match event:
            case media.LegConnected():
                logger.info("leg.connected", extra=about)
                self._note(live, event)
                opened_s = live.opened_s.pop(event.leg, None)
                if opened_s is not None:
                    self._counts.joined(self._clock.monotonic() - opened_s)
                self._apply(live, ev.LegUp(event.leg))
            case media.LegFailed():
                logger.info("leg.failed", extra=about)
                self._carrier.legs.pop(event.leg, None)
                owner = live.leg_owners.pop(event.leg, None)
                live.opened_s.pop(event.leg, None)
                if owner is not None:
                    live.meters[owner].close(event.leg, bytes_up=event.bytes_up, bytes_down=event.bytes_down)
                self._apply(live, ev.LegLost(event.leg, event.reason, closed=True))
            case media.LegSpent():
                logger.info("leg.spent", extra=about)
                self._apply(live, ev.LegLost(event.leg, event.reason, closed=False))
            case media.LegInterrupted():
                logger.info("leg.interrupted", extra=about | {"gap_ms": event.gap_ms})
                self._note(live, event)
                self._apply(live, ev.LegSilent(event.leg, event.gap_ms))
            case media.LegResumed():
                logger.info("leg.resumed", extra=about | {"gap_ms": event.gap_ms})
                self._note(live, event)
                self._apply(live, ev.LegBack(event.leg, event.gap_ms))
            case media.StreamsChanged():
                self._apply(live, ev.StreamsSeen(event.leg, event.streams))
            case media.PathChanged():
                logger.info("leg.path_changed", extra=about | {"transport": event.transport.value})
                self._note(live, event)

    def _note(self, live: Live, event: LegConnected | LegInterrupted | LegResumed | PathChanged) -> None:
        self._watch.leg_event(live, event, now=self._clock.now(), now_s=self._clock.monotonic())
