"""When a checkpoint counts as sent: once it is everywhere outside, and not before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from accounts.checkpoints import AGAIN_AFTER, EVERY, Checkpoints, CheckpointUnsent
from tests.fakes import FakeClock

MASTER = bytes(range(32))


@dataclass
class Letters:
    """Takes letters, and says later what became of each."""

    told: list[Callable[[bool], None]] = field(default_factory=list)
    operators: list[bool] = field(default_factory=list)

    async def send(
        self,
        to: str,  # noqa: ARG002  # as letters are sent
        subject: str,  # noqa: ARG002
        text: str,  # noqa: ARG002
        *,
        operator: bool = False,
        told: Callable[[bool], None] | None = None,
    ) -> None:
        assert told is not None
        self.told.append(told)
        self.operators.append(operator)


async def test_it_counts_as_sent_when_the_server_took_every_letter(clock: FakeClock) -> None:
    checkpoints, letters = Checkpoints(MASTER, addresses=["a@example.org", "b@example.org"]), Letters()
    one = checkpoints.signer.sign(count=3, head=bytes(32), now=clock.now())
    assert checkpoints.is_due(clock.now())
    began = clock.now()
    await checkpoints.send(one, letters=letters, now=began)
    assert letters.operators == [True, True]
    assert not checkpoints.is_due(clock.now()), "it is on its way"
    letters.told[0](True)
    assert checkpoints.sent_at is None
    letters.told[1](False)
    assert checkpoints.sent_at is None
    clock.advance(AGAIN_AFTER.total_seconds())
    assert checkpoints.is_due(clock.now())
    await checkpoints.send(one, letters=letters, now=clock.now())
    for told in letters.told[2:]:
        told(True)
    assert checkpoints.sent_at == began + AGAIN_AFTER
    assert not checkpoints.is_due(clock.now() + EVERY - timedelta(seconds=1))
    assert checkpoints.is_due(clock.now() + EVERY)


async def test_a_directory_that_is_gone_is_not_sent(clock: FakeClock, tmp_path: Path) -> None:
    checkpoints = Checkpoints(MASTER, directory=tmp_path / "gone", addresses=["a@example.org"])
    letters = Letters()
    one = checkpoints.signer.sign(count=3, head=bytes(32), now=clock.now())
    with pytest.raises(CheckpointUnsent):
        await checkpoints.send(one, letters=letters, now=clock.now())
    letters.told[0](True)
    assert checkpoints.sent_at is None
    (tmp_path / "gone").mkdir()
    await checkpoints.send(one, letters=letters, now=clock.now())
    assert checkpoints.sent_at is None, "the letter is not there yet"
    letters.told[1](True)
    assert checkpoints.sent_at == clock.now()
