"""The finished file of a side, from its log: one standard age file that holds a WebM with its index in front.

It goes through the log twice, so that no more than one record is in memory: first to learn how long it is and
where it can be entered, then to write. Nothing is ever on disk in the clear, and the log is only read:
whoever calls deletes it once the result is where it belongs.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from core.agefile import Identity, Recipient, Writer
from recordings.container import Codec, head
from recordings.ebml import EbmlBroken
from recordings.log import Chain, Digest, LogBroken, begin, check_chain, read_log, sync_directory
from recordings.reserve import demand
from recordings.sides import Side
from recordings.survey import Survey, clusters_of


@dataclass(frozen=True, slots=True)
class Finalized:
    """What was made. ``bytes`` and ``sha256`` are of the sealed file.

    ``complete``: the log has its last record, so nothing of the end is missing. ``codec`` is that of the
    picture (``vp8``, ``vp9``, ``av1``), ``opus`` where there never was one.
    """

    duration_ms: int
    bytes: int
    sha256: Digest
    complete: bool
    codec: str


def finalize(
    log: Path,
    *,
    recording_id: str,
    side: Side,
    identity: Identity,
    recipient: Recipient,
    out: Path,
    expected: Chain | None,
) -> Finalized:
    """Write ``out``: whole and on the disk when this returns, in place of what was there before.

    ``expected`` is the chain that the database has kept; the log may be longer. Raises ``LogBroken``,
    ``NoRoom`` and ``OSError``. One process at a time: a draft that a crash has left is written over.
    """
    survey, chain, complete = Survey(), begin(recording_id, side), False
    sure = 0 if expected is None else expected.records
    for record in read_log(log, recording_id=recording_id, side=side, identity=identity, sure=sure):
        chain, complete = record.chain, record.final
        if expected is not None and chain.records == expected.records:
            check_chain(chain, expected)
        try:
            survey.take(record.plain)
        except EbmlBroken as error:
            raise LogBroken("malformed", chain.records - 1) from error
    if expected is not None and chain.records < expected.records:
        check_chain(chain, expected)
    if not survey.clusters:
        raise LogBroken("empty", chain.records)
    demand(out.parent, log.stat().st_size)
    front = head(survey.in_order, survey.clusters, duration_ms=survey.end_ms)
    digest, size = hashlib.sha256(), 0
    draft = out.with_name(f".{out.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:

        def store(sealed: bytes) -> None:
            nonlocal size
            size += file.write(sealed)
            digest.update(sealed)

        writer = Writer(store, [recipient])
        writer.write(front)
        for record in read_log(log, recording_id=recording_id, side=side, identity=identity, sure=sure):
            for one in clusters_of(record.plain):
                writer.write(one)
            if record.chain == chain:
                break  # What has come since the first time is not in the index.
        writer.close()
        file.flush()
        os.fsync(file.fileno())
    draft.replace(out)
    sync_directory(out.parent)
    picture = survey.picture
    return Finalized(
        duration_ms=survey.end_ms,
        bytes=size,
        sha256=digest.digest(),
        complete=complete,
        codec=picture.codec.word if picture is not None else Codec.OPUS.word,
    )
