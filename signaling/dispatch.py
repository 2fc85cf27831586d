"""One handler for each message type, found through a table. ``hello`` and ``ping`` are the hub's.

Handlers raise ``TeduhError`` for what cannot be granted; ``handle`` answers each request once and remembers
the answer. All but ``consent``, before which the database is asked, are done when they return.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from msgspec import UNSET

from core.errors import TeduhError
from core.ids import ParticipantId
from media.codecs import OPUS
from media.description import Answer as ReadAnswer
from media.events import LegId
from signaling import client_messages as client
from signaling import events as ev
from signaling import server_messages as server
from signaling.advising import why_smaller
from signaling.live import Live
from signaling.participant import Seat
from signaling.protocol import MAX_RELAY_BYTES, MediaState
from signaling.recording import Recordings
from signaling.terms import Refused

logger = logging.getLogger(__name__)

COUNSELOR = "counselor"


class Doer(Protocol):
    """What handlers need of the hub."""

    def apply(self, live: Live, event: ev.CallEvent) -> None:
        """Let an event happen and do what the call wants."""
        ...

    def send(self, live: Live, to: ParticipantId, message: server.ServerMessage) -> None:
        """Send a message to a participant, or keep it for them."""
        ...

    def read_answer(self, leg: LegId, sdp: str) -> ReadAnswer:
        """Have the relay read an answer."""
        ...

    def wrote(self, live: Live, participant: ParticipantId) -> None:
        """Note that somebody wrote, where it is recorded; not a word of it."""
        ...

    def mistook(self) -> None:
        """Count a mistake of ours; whoever found it has logged it."""
        ...

    @property
    def recordings(self) -> Recordings | None:
        """What records sessions; None where nothing can."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, where and when."""

    hub: Doer
    live: Live
    participant: ParticipantId
    now: datetime
    now_s: float

    def apply(self, event: ev.CallEvent) -> None:
        """Let an event happen."""
        self.hub.apply(self.live, event)

    def send(self, to: ParticipantId, message: server.ServerMessage) -> None:
        """Send a message."""
        self.hub.send(self.live, to, message)


def answer(asked: Asked, message: client.Answer) -> None:
    """Take an answer; one to an older offer is dropped."""
    if asked.live.call.awaits_answer(asked.participant, message.leg, message.negotiation):
        leg = LegId(message.leg)
        read = asked.hub.read_answer(leg, message.sdp)
        asked.apply(ev.Answered(leg, read))
        if read.audio.active and OPUS.payload_type not in read.audio.payload_types:
            # The leg stands, and everything but the voice goes on.
            raise Refused("no_common_codec", "the answer leaves out the only voice codec there is")


def restart(asked: Asked, message: client.Restart) -> None:
    """Make an offer with new credentials, or a new leg."""
    asked.apply(ev.AsksRestart(asked.participant, message.fresh))


def media(asked: Asked, message: client.Media) -> None:
    """Take the mute state, the step of the picture, a budget that was set, and a device that was lost."""
    said = MediaState(message.audio, message.video, message.picture, message.by, message.receive)
    if message.budget_mb is not UNSET:
        asked.apply(ev.SetsBudget(asked.participant, message.budget_mb))
    if message.lost is not UNSET:
        asked.apply(ev.LosesDevice(asked.participant, message.lost))
    asked.apply(ev.SaysMedia(asked.participant, said, why_smaller(asked.live, asked.participant, said)))


def mode(asked: Asked, message: client.ModeRequest) -> None:
    """Move the session to another mode."""
    asked.apply(ev.WishesMode(asked.participant, message.mode, message.reason))


def chat(asked: Asked, message: client.Chat) -> None:
    """Tell both a line of chat."""
    live = asked.live
    line = live.transcript.say(
        sender=asked.participant, ref=message.ref, text=message.text, tag=live.tag, now=asked.now
    )
    for place in live.call.places:
        # Whoever is not in a place gets the whole chat on entering.
        if place.is_kept:
            asked.send(place.id, line)
    asked.hub.wrote(live, asked.participant)


def typing(asked: Asked, _message: client.Typing) -> None:
    """Show the other side that this one is writing."""
    other = asked.live.call.other(asked.participant)
    if other.is_here:
        asked.send(other.id, server.PeerTyping(sender=asked.participant))


def consent(asked: Asked, message: client.Consent) -> Awaitable[None] | None:
    """Take a consent to the recording, a no, or a withdrawal."""
    recordings = _recordings(asked)
    if message.granted:
        return recordings.agree(asked.live, asked.participant, terms=message.terms, locale=message.locale)
    recordings.refuse(asked.live, asked.participant)
    return None


def off_record(asked: Asked, message: client.OffRecord) -> None:
    """Pause the recording, or go on with it."""
    _recordings(asked).off_record(asked.live, asked.participant, off=message.off_record)


def _recordings(asked: Asked) -> Recordings:
    if asked.live.call.terms.recording == "off":
        raise Refused("recording_off", "this session is not recorded")
    if asked.hub.recordings is None:
        raise Refused("recording_unavailable", "this server cannot record")
    return asked.hub.recordings


def quality(asked: Asked, message: client.QualityReport) -> None:
    """Keep the browser's view of its present leg."""
    place = asked.live.call.place(asked.participant)
    if place is not None and place.leg is not None and place.leg.id == message.leg:
        asked.live.meters[asked.participant].report(message, asked.now_s)


def relay(asked: Asked, message: client.Relay) -> None:
    """Pass opaque data on, unread."""
    other = asked.live.call.other(asked.participant)
    if len(bytes(message.data)) > MAX_RELAY_BYTES:
        raise Refused("too_large", "at most 4 KiB can be passed on")
    if other.id != message.to or other.seat in (Seat.ABSENT, Seat.LEFT):
        raise Refused("not_there", "nobody of that id is there")
    asked.send(other.id, server.Relayed(sender=asked.participant, data=message.data))


def takeover(asked: Asked, message: client.TakeoverAnswer) -> None:
    """Admit or refuse another device."""
    asked.apply(ev.AnswersTakeover(asked.participant, message.id, message.admit))


def leave(asked: Asked, _message: client.Leave) -> None:
    """Leave; the place stays open for a new ``hello``."""
    asked.apply(ev.Leaves(asked.participant))


def end(asked: Asked, message: client.End) -> None:
    """End the session for both."""
    asked.apply(ev.Ends(message.reason or "ended", asked.participant))


Handler = Callable[[Asked, Any], Awaitable[None] | None]

HANDLERS: dict[type[client.ClientMessage], Handler] = {
    client.Answer: answer,
    client.Restart: restart,
    client.Media: media,
    client.ModeRequest: mode,
    client.Chat: chat,
    client.Typing: typing,
    client.Consent: consent,
    client.OffRecord: off_record,
    client.QualityReport: quality,
    client.Relay: relay,
    client.TakeoverAnswer: takeover,
    client.Leave: leave,
    client.End: end,
}

# These may close the asker's connection, so they are answered before they are done.
_ANSWERED_FIRST = (client.Leave, client.End, client.TakeoverAnswer)


async def handle(asked: Asked, message: client.ClientMessage) -> None:
    """Handle a message of a seated participant and answer it. Raises nothing."""
    if not isinstance(message, client.Request):
        failure = await _try(asked, message)
        if failure is not None:
            asked.send(asked.participant, failure)
        return
    known = asked.live.answered(asked.participant, message.ref)
    if known is not None:
        asked.send(asked.participant, known)
        return
    pending = asked.live.refs[asked.participant].pending
    if message.ref in pending:
        return  # its answer is on the way, to wherever they sit by then
    reply: server.Ok | server.Error = server.Ok(ref=message.ref)
    if isinstance(message, _ANSWERED_FIRST):
        refusal = _may_not(asked, message)
        _answer(asked, message.ref, refusal or reply)
        if refusal is None:
            await _try(asked, message)
        return
    pending.add(message.ref)
    try:
        failure = await _try(asked, message)
    finally:
        pending.discard(message.ref)
    _answer(asked, message.ref, failure or reply)


def _answer(asked: Asked, ref: str, reply: server.Ok | server.Error) -> None:
    asked.live.refs[asked.participant].keep(ref, reply)
    asked.send(asked.participant, reply)


def _may_not(asked: Asked, message: client.Request) -> server.Error | None:
    """Say why a request whose ``ok`` goes out before it is done cannot be granted."""
    place = asked.live.call.place(asked.participant)
    if isinstance(message, client.End) and (place is None or place.role != COUNSELOR):
        text = "only the counselor ends the session for both"
        return server.Error(code="forbidden", message=text, ref=message.ref)
    if isinstance(message, client.TakeoverAnswer) and not asked.live.call.is_asked(
        asked.participant, message.id
    ):
        text = "nobody asks you that now"
        return server.Error(code="no_takeover", message=text, ref=message.ref)
    return None


async def _try(asked: Asked, message: client.ClientMessage) -> server.Error | None:
    ref = message.ref if isinstance(message, client.Request) else UNSET
    try:
        still = HANDLERS[type(message)](asked, message)
        if still is not None:
            await still
    except TeduhError as error:
        return server.Error(code=error.code, message=str(error), ref=ref)
    except Exception:
        logger.exception("signal.internal", extra={"kind": type(message).__name__})
        asked.hub.mistook()
        return server.Error(code="internal", message="something went wrong on the server", ref=ref)
    return None
