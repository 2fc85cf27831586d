"""What a live session's ladder is shown each second, and what both sides are told of its advice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.ids import ParticipantId
from media.codecs import RED, Mode
from media.ladder import Advice, Picture, Side
from signaling.events import SendsTwice
from signaling.live import Live
from signaling.participant import Place
from signaling.protocol import MediaState, PictureBy, Reason
from signaling.quality_log import Meter

ADVISE_EVERY_S = 1.0


def advise(live: Live, *, now_s: float) -> bool:
    """Show the ladder both lines; True when a side is to be told something new."""
    live.advised_s = now_s
    mode = live.call.mode
    places = live.call.places
    first, second = (_side(live, place, live.meters[place.id], now_s) for place in places)
    sides = (first, second)
    advice = live.ladder.look(
        sides,
        now_s,
        mode=mode.mode,
        by_line=mode.reason is Reason.NETWORK,
        by_hand=mode.reason is Reason.USER,
    )
    # Who holds a picture by hand needs no advice on it, and the line has taken nothing from them.
    before = live.advice
    live.advice = {
        place.id: one if side.held is None else replace(one, picture=Picture.FULL, blame=None)
        for place, side, one in zip(places, sides, advice, strict=True)
    }
    return before != live.advice


def _side(live: Live, place: Place, meter: Meter, now_s: float) -> Side:
    sample, ways = meter.sample, meter.line.ways
    if sample is None:
        return Side()
    video = live.call.mode.mode is Mode.VIDEO
    media = place.media
    return Side(
        loss_up_pct=ways.loss_up_pct,
        loss_down_pct=ways.loss_down_pct,
        rtt_ms=meter.rtt_ms(now_s),
        available_kbps=meter.reports.said(now_s).available_kbps if video else None,
        mos=meter.mos,
        silent_ms=sample.silent_ms,
        speaks=live.call.mode.mode is not Mode.CHAT and (media is None or media.audio),
        sends_picture=video and _has_picture(place),
        doubles=place.twice and all(RED.mime in other.codecs for other in live.call.places),
        held=media.picture if media is not None and media.by is PictureBy.USER and media.picture else None,
    )


def _has_picture(place: Place) -> bool:
    """Whether there is a picture that could be lowered: one that goes out, or that the line paused."""
    media = place.media
    if media is None:
        return False
    return media.video or (media.picture is Picture.PAUSED and media.by is PictureBy.LINE)


def told(advice: Advice | None) -> dict[str, Any]:
    """Return the fields of ``quality`` that tell an advice; what is left out needs no word."""
    if advice is None:
        return {}
    fields: dict[str, Any] = {}
    if advice.mode is not None:
        fields["advice"] = advice.mode.value
    elif advice.picture is not Picture.FULL:
        fields["advice"] = "reduce_video"
    if advice.picture is not Picture.FULL:
        fields["picture"] = advice.picture
    return fields


def why_smaller(live: Live, participant: ParticipantId, media: MediaState) -> dict[str, str]:
    """Say whose line made somebody's picture smaller, and by what; empty where the line did not."""
    advice = live.advice.get(participant)
    if advice is None or advice.blame is None or media.by is not PictureBy.LINE:
        return {}
    cause, whose = advice.blame.cause, live.call.places[advice.blame.side].role
    return {"whose": whose, "kind": cause.kind.value, "direction": cause.direction.value}


def protections(live: Live) -> list[SendsTwice]:
    """Return what is to change about whose voice goes twice."""
    wanted = {
        place.id: place.id in live.advice and live.advice[place.id].redundant for place in live.call.places
    }
    return [
        SendsTwice(place.id, wanted[place.id])
        for place in live.call.places
        if place.twice is not wanted[place.id] and place.leg is not None
    ]
