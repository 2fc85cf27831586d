"""The probe over a real relay, with two independent peers in the page's place."""

from __future__ import annotations

import os

import pytest

from core.errors import NotFound
from core.ids import UserId
from media.events import LegConnected
from tests.media.rig import rig, rtp, until
from tests.peers.dtls import Certificate
from tests.peers.leg import Leg
from web.probing import Prober

EMBUN = UserId("u_embun")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_what_goes_out_on_one_leg_comes_back_on_the_other(transport: str) -> None:
    async with rig() as made:
        prober = Prober(made.relay)
        out, back = (Leg(Certificate(), made.settings(transport=transport)) for _ in range(2))
        probe, offer = prober.begin(EMBUN, 0.0)
        second = prober.sends(EMBUN, probe.id, out.take(offer))
        made.peers |= {probe.out: out, probe.back: back}
        await out.start()
        assert all(f"a=ssrc:{ssrc} " in second for ssrc in out.settings.video_ssrcs), "it says what will come"
        prober.receives(EMBUN, probe.id, back.take(second))
        await back.start()
        both = {LegConnected(probe.out), LegConnected(probe.back)}
        await until(lambda: both <= set(made.told(LegConnected)) and back.connected.is_set())
        await until(out.connected.is_set)
        packets = [
            rtp(os.urandom(900), payload_type=96, sequence=100 + place, ssrc=out.settings.video_ssrcs[0])
            for place in range(50)
        ]
        for packet in packets:
            out.send_rtp(packet)
        await until(lambda: len(back.received.rtp) >= len(packets))
        assert back.received.rtp == packets
        back.send_rtp(rtp(b"x", payload_type=111, sequence=1, ssrc=back.settings.audio_ssrcs[0]))
        prober.end(EMBUN)
        assert made.relay.counters()["legs"] == 0
        assert out.received.rtp == [], "nothing goes the other way"
        with pytest.raises(NotFound):
            prober.sends(EMBUN, probe.id, "v=0")
