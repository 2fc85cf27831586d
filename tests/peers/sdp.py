"""The peer's own reading of offers and writing of answers (RFC 8866, RFC 8829), nothing borrowed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ``a=candidate`` line: ``transport`` is ``udp`` or ``tcp`` (then passive)."""

    transport: str
    address: str
    port: int

    @property
    def ip_version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4


@dataclass(slots=True)
class Line:
    """One m-line of an offer."""

    kind: str
    port: int
    payload_types: tuple[int, ...]
    mid: str = ""
    direction: str = "sendrecv"
    rtpmap: dict[int, str] = field(default_factory=dict)
    fmtp: dict[int, str] = field(default_factory=dict)
    extensions: dict[int, str] = field(default_factory=dict)
    ssrcs: list[int] = field(default_factory=list)
    groups: list[tuple[int, ...]] = field(default_factory=list)
    cname: str | None = None
    attributes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Offer:
    """A server's offer as read; credentials and candidates are those of its first m-line."""

    version: int
    ufrag: str
    pwd: str
    fingerprint: str
    candidates: list[Candidate]
    lines: list[Line]
    attributes: set[str]

    def line(self, kind: str) -> Line:
        """The m-line of ``audio`` or ``video``."""
        return next(line for line in self.lines if line.kind == kind)


def read_offer(text: str) -> Offer:
    """Read an offer. Raises ValueError, KeyError or StopIteration if it is not one of the server's."""
    session: dict[str, str] = {}
    flags: set[str] = set()
    lines: list[Line] = []
    candidates: list[Candidate] = []
    version = -1
    for row in text.split("\r\n"):
        letter, _, value = row.partition("=")
        if letter == "o":
            version = int(value.split(" ")[2])
        elif letter == "m":
            kind, port, _protocol, *numbers = value.split(" ")
            lines.append(Line(kind, int(port), tuple(map(int, numbers))))
        elif letter == "a":
            name, _, rest = value.partition(":")
            if not lines:
                flags.add(value)
            else:
                lines[-1].attributes.add(value)
                _read_attribute(lines[-1], name, rest)
            if name in ("ice-ufrag", "ice-pwd", "fingerprint"):
                session.setdefault(name, rest)
            if name == "candidate" and len(lines) == 1:
                candidates.append(_read_candidate(rest))
    return Offer(
        version,
        session["ice-ufrag"],
        session["ice-pwd"],
        session["fingerprint"],
        candidates,
        lines,
        flags,
    )


def _read_candidate(rest: str) -> Candidate:
    words = rest.split(" ")
    if words[6:8] != ["typ", "host"]:
        raise ValueError(f"not a host candidate: {rest}")
    transport = words[2].lower()
    if transport == "tcp" and words[8:10] != ["tcptype", "passive"]:
        raise ValueError(f"not a passive candidate: {rest}")
    return Candidate(transport, words[4], int(words[5]))


def _read_attribute(line: Line, name: str, rest: str) -> None:
    first, _, second = rest.partition(" ")
    match name:
        case "mid":
            line.mid = rest
        case "sendrecv" | "sendonly" | "recvonly" | "inactive":
            line.direction = name
        case "rtpmap":
            line.rtpmap[int(first)] = second
        case "fmtp":
            line.fmtp[int(first)] = second
        case "extmap":
            line.extensions[int(first)] = second
        case "ssrc":
            number = int(first)
            if number not in line.ssrcs:
                line.ssrcs.append(number)
            if second.startswith("cname:"):
                line.cname = second.removeprefix("cname:")
        case "ssrc-group":
            line.groups.append(tuple(map(int, second.split(" "))))


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """What to answer for one m-line; ``port`` 0 rejects it."""

    direction: str
    payload_types: tuple[int, ...]
    ssrcs: tuple[int, ...] = ()
    port: int = 9


def write_answer(
    offer: Offer,
    lines: dict[str, AnswerLine],
    *,
    ufrag: str,
    pwd: str,
    fingerprint: str,
    number: int,
) -> str:
    """Write an answer to ``offer``; ``lines`` maps mids to what is said of each."""
    rows = [
        "v=0",
        f"o=- {number} {offer.version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(line.mid for line in offer.lines),
    ]
    for line in offer.lines:
        said = lines[line.mid]
        numbers = " ".join(map(str, said.payload_types))
        rows += [
            f"m={line.kind} {said.port} UDP/TLS/RTP/SAVPF {numbers}",
            "c=IN IP4 0.0.0.0",
            "a=rtcp-mux",
            "a=rtcp-rsize",
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{pwd}",
            f"a=fingerprint:{fingerprint}",
            "a=setup:active",
            f"a=mid:{line.mid}",
            f"a={said.direction}",
        ]
        rows += [f"a=rtpmap:{pt} {line.rtpmap[pt]}" for pt in said.payload_types]
        rows += [f"a=fmtp:{pt} {line.fmtp[pt]}" for pt in said.payload_types if pt in line.fmtp]
        rows += [f"a=extmap:{number} {uri}" for number, uri in line.extensions.items()]
        if len(said.ssrcs) > 1:
            rows.append("a=ssrc-group:FID " + " ".join(map(str, said.ssrcs)))
        rows += [f"a=ssrc:{ssrc} cname:peer" for ssrc in said.ssrcs]
    return "\r\n".join(rows) + "\r\n"
