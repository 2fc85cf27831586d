"""Does an RTP payload begin a key frame? Looked at only while one is being waited for."""

from __future__ import annotations

from media.codecs import AV1, H264, VP8, VP9

_H264_IDR, _H264_SPS, _H264_STAP_A, _H264_FU_A = 5, 7, 24, 28


def payload_offset(packet: memoryview) -> int | None:
    """Return where the payload of an RTP packet begins (RFC 3550, 5.1), None when cut short."""
    offset = 12 + 4 * (packet[0] & 15)
    if packet[0] & 16:
        if len(packet) < offset + 4:
            return None
        offset += 4 + 4 * int.from_bytes(packet[offset + 2 : offset + 4], "big")
    return offset if offset < len(packet) else None


def begins_key_frame(packet: memoryview, payload_type: int) -> bool:
    """Tell whether this whole RTP packet (header included) begins a key frame."""
    offset = payload_offset(packet)
    if offset is None:
        return False
    payload = packet[offset:]
    if payload_type == VP8.payload_type:
        return _vp8(payload)
    if payload_type == VP9.payload_type:
        # Draft-ietf-payload-vp9, 4.2: P (inter-picture predicted) off, B (start of frame) on.
        return payload[0] & 0b0100_1000 == 0b0000_1000
    if payload_type == H264.payload_type:
        return _h264(payload)
    # AV1 RTP specification, 4.4: N, the first packet of a coded video sequence.
    return payload_type == AV1.payload_type and bool(payload[0] & 0b0000_1000)


def _vp8(payload: memoryview) -> bool:
    """RFC 7741, 4.2 and 4.3: start of partition 0, and the inverse key frame flag off."""
    if payload[0] & 0b0001_0111 != 0b0001_0000:
        return False
    at = 1
    if payload[0] & 0x80:
        if len(payload) < 2:
            return False
        extensions = payload[1]
        at = 2
        if extensions & 0x80:
            at += 2 if len(payload) > at and payload[at] & 0x80 else 1
        at += bool(extensions & 0x40) + bool(extensions & 0x30)
    return len(payload) > at and not payload[at] & 1


def _h264(payload: memoryview) -> bool:
    """RFC 6184, 5.4: an SPS or IDR unit, alone, aggregated first, or at the start of a fragment."""
    kind = payload[0] & 31
    if kind == _H264_STAP_A and len(payload) > 3:
        kind = payload[3] & 31
    elif kind == _H264_FU_A and len(payload) > 1 and payload[1] & 0x80:
        kind = payload[1] & 31
    return kind in (_H264_IDR, _H264_SPS)
