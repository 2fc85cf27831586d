"""The call as a pure machine: no random history breaks its rules."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidState
from core.ids import ParticipantId
from media.codecs import Mode
from media.events import LegId, Streams
from signaling import events as ev
from signaling.protocol import MediaState, Reason
from signaling.terms import CallState, Refused
from tests.signaling.rig import A, B, Rig

DOINGS = st.tuples(
    st.sampled_from(
        [
            *("join", "key", "resume", "lose", "leave", "restart", "fresh", "media", "mode", "answer"),
            *("timeout", "tick", "minute", "up", "silent", "back", "streams", "failed", "spent"),
            *("admit", "refuse", "end"),
        ]
    ),
    st.sampled_from([A, B]),
    st.sampled_from(list(Mode)),
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(Mode)), st.lists(DOINGS, max_size=60))
def test_no_history_breaks_the_rules(mode: Mode, history: list[tuple[str, ParticipantId, Mode]]) -> None:
    rig = Rig(mode, grace_s=90, max_minutes=600)
    for what, who, wanted in history:
        try:
            do(rig, what, who, wanted)
        except Refused:
            continue
        except InvalidState:
            assert rig.call.state is CallState.ENDED or what == "leave"
            continue
        for place in rig.call.places:
            assert place.is_here == (place.id in rig.seated)
        assert set(rig.held) == set(rig.call._door.held)
        known = {leg.id for place in rig.call.places for leg in place.legs}
        assert rig.open_legs == known
        if rig.call.state is CallState.ENDED:
            assert not rig.seated
            assert not rig.held
        elif rig.call.state is CallState.ACTIVE and rig.call.mode.mode is not Mode.CHAT:
            assert rig.link is not None


def do(rig: Rig, what: str, who: ParticipantId, wanted: Mode) -> None:  # noqa: C901, PLR0912  # one case for each doing
    leg = rig.leg_of.get(who, LegId("none"))
    match what:
        case "join":
            rig.join(who)
        case "key":
            rig.join(who, key=True)
        case "resume":
            rig.join(who, key=True, resume=1)
        case "lose":
            rig.lose(who)
        case "leave":
            rig.apply(ev.Leaves(who))
        case "restart" | "fresh":
            rig.apply(ev.AsksRestart(who, fresh=what == "fresh"))
        case "media":
            rig.apply(ev.SaysMedia(who, MediaState(audio=True, video=True)))
        case "mode":
            rig.apply(ev.WishesMode(who, wanted, Reason.USER))
        case "answer":
            if leg in rig.open_offers and leg in rig.open_legs and rig.call.place(who).is_here:  # type: ignore[union-attr]  # it exists
                current = rig.call.place(who).leg  # type: ignore[union-attr]  # it exists
                if current is not None and current.id == leg:
                    rig.answer(who)
        case "timeout":
            rig.pass_time(10)
        case "tick":
            rig.pass_time(1)
        case "minute":
            rig.pass_time(60)
        case "up":
            rig.apply(ev.LegUp(leg))
        case "silent":
            rig.apply(ev.LegSilent(leg, 1_300))
        case "back":
            rig.apply(ev.LegBack(leg, 1_300))
        case "streams":
            rig.apply(ev.StreamsSeen(leg, Streams((5,), (6, 7))))
        case "failed":
            rig.open_legs.discard(leg)
            rig.open_offers.discard(leg)
            if rig.link is not None and leg in rig.link:
                rig.link = None
            rig.apply(ev.LegLost(leg, "failed", closed=True))
        case "spent":
            rig.apply(ev.LegLost(leg, "spent", closed=False))
        case "admit" | "refuse":
            rig.apply(ev.AnswersTakeover(who, rig.asked or "", admit=what == "admit"))
        case "end":
            if wanted is Mode.CHAT:
                rig.apply(ev.Ends("done", who))
