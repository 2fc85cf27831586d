"""What goes in and out of the API for programs; the OpenAPI document is made of these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from media.codecs import Mode
from recordings.states import State
from signaling.directory import Recording, Role, SessionState

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=r"^[^\u0000-\u001f\u007f]*[^\u0000-\u0020\u007f][^\u0000-\u001f\u007f]*$",
        description="Shown to the other side; no control characters, not blank.",
        examples=["Sekar"],
    ),
]
Words = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[^\u0000-\u001f\u007f]*$",
        description="Why; shown to both sides.",
        examples=["The time is over."],
    ),
]
# A float, for to JSON 50.0 is an integer too (JSON Schema 2020-12, 6.1.1).
Minutes = Annotated[
    float,
    Meta(ge=1, le=1440, multiple_of=1, description="Minutes from the start to the end.", examples=[50]),
]
Moment = Annotated[
    datetime,
    Meta(
        tz=True, description="RFC 3339; a time that has passed means now.", examples=["2027-03-01T09:00:00Z"]
    ),
]


class NewPlace(msgspec.Struct, frozen=True):
    """One of the two people."""

    role: Role
    name: Name


class NewSession(msgspec.Struct, frozen=True):
    """A session to be made: one client and one counselor, in either order."""

    mode: Mode
    recording: Recording
    participants: Annotated[list[NewPlace], Meta(min_length=2, max_length=2)]
    starts_at: Moment | None = None
    max_minutes: Minutes | None = None


class NewEnd(msgspec.Struct, frozen=True):
    """How a session is ended."""

    reason: Words


class NewWithdrawal(msgspec.Struct, frozen=True):
    """Whose consent to being recorded is taken back."""

    role: Role


class Receipts(msgspec.Struct, frozen=True):
    """Signed receipts (JWS) of what each of the two agreed to and took back, the oldest first."""

    client: list[str]
    counselor: list[str]


class MadePlace(msgspec.Struct, frozen=True):
    """One place: a token for programs, a link for people. Both are shown this once."""

    id: str
    role: Role
    token: str
    join_url: str


class MadeSession(msgspec.Struct, frozen=True):
    """A session that was made."""

    id: str
    state: SessionState
    participants: list[MadePlace]


class Place(msgspec.Struct, frozen=True):
    """One of the two people and how they are connected."""

    id: str
    role: Role
    name: str
    state: str


class Spread(msgspec.Struct, frozen=True):
    """Percentiles by the nearest rank: of a hundred samples 5, 50 and 95 were at most this."""

    p5: float
    p50: float
    p95: float


class Spreads(msgspec.Struct, frozen=True):
    """How each value was over the session; `loss_pct` is the worse direction of each sample."""

    rtt_ms: Spread | None
    loss_pct: Spread | None
    loss_up_pct: Spread | None
    loss_down_pct: Spread | None
    jitter_ms: Spread | None
    mos: Spread | None


class SideSummary(msgspec.Struct, frozen=True):
    """One side's connection over the whole session; null is unknown, bytes count from its start.

    The first four are means. `causes` counts what broke the line or made it poor, as `direction_kind`;
    `grades` how many samples had which grade; `steps_down` how often the line or the budget took
    something away.
    """

    rtt_ms: float | None
    loss_up_pct: float | None
    loss_down_pct: float | None
    jitter_ms: float | None
    bytes_up: int
    bytes_down: int
    interruptions: int
    gaps_ms: int
    longest_gap_ms: int
    causes: dict[str, int]
    grades: dict[str, int]
    steps_down: int
    freezes: int
    network: str | None
    percentiles: Spreads


class QualitySummary(msgspec.Struct, frozen=True):
    """Both sides' connections, by participant id."""

    participants: dict[str, SideSummary]


class RecordingState(msgspec.Struct, frozen=True):
    """Where the newest recording of a session stands; `off` where there is none."""

    state: str
    id: str | UnsetType = UNSET


def recording_state(newest: tuple[str, State] | None) -> RecordingState:
    """Say where the newest recording of a session stands; None: there is none."""
    return RecordingState("off") if newest is None else RecordingState(newest[1].value, newest[0])


class Session(msgspec.Struct, frozen=True):
    """A session as it stands."""

    id: str
    state: SessionState
    mode: Mode
    started_at: datetime | None
    ended_at: datetime | None
    participants: list[Place]
    quality: QualitySummary
    recording: RecordingState


class Sample(msgspec.Struct, frozen=True):
    """Ten seconds of one side's connection."""

    participant: str
    at: datetime
    grade: str | None
    mos: float | None
    rtt_ms: float | None
    loss_up_pct: float | None
    loss_down_pct: float | None
    jitter_ms: float | None
    buffer_ms: float | None
    concealed_pct: float | None
    silent_ms: int | None
    ws_rtt_ms: float | None
    available_kbps: float | None
    bytes_up: int
    bytes_down: int
    freezes: int | None
    fps: float | None
    height: int | None
    network: str | None
    transport: str | None
    ip_version: int | None


class Drop(msgspec.Struct, frozen=True):
    """One time that a side could not be reached; `returned` when it came back on the same way.

    `direction` is up, down, both or unknown; `kind` is what kind of trouble it was, or unknown.
    """

    participant: str
    began_at: datetime
    gap_ms: int
    direction: str
    kind: str
    returned: bool


class Event(msgspec.Struct, frozen=True):
    """One thing that happened; ``participant`` is null when it happened to the session."""

    participant: str | None
    at: datetime
    kind: str
    detail: dict[str, str | int | float | bool | None]


class Quality(msgspec.Struct, frozen=True):
    """The whole quality record of a session, in the order of time.

    `verdict` says whose line it was: nobody, client, counselor, both, server or unknown. `ended_why` is
    time_over, line, left_quickly, left or ended, null while the session goes on.
    """

    session: str
    verdict: str
    ended_why: str | None
    summary: QualitySummary
    drops: list[Drop]
    samples: list[Sample]
    events: list[Event]


class Misfit(msgspec.Struct, frozen=True):
    """One value that does not fit: a JSON pointer (RFC 6901) and a sentence."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Misfit] | UnsetType = UNSET


class Health(msgspec.Struct, frozen=True):
    """Whether the server works; ``checks`` only for those who may see them."""

    status: str
    checks: dict[str, bool] | UnsetType = UNSET
