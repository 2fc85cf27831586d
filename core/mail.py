"""Letters by e-mail. Whoever sends one is never made to wait for a mail server.

``send`` puts a letter into a bounded queue and returns; one task hands them over. A letter that fails for a
while goes back with a time at which it is tried again, and holds up no other; after some minutes it is
dropped and counted: what matters stands in the person's inbox here, a letter only says that something is
there. Letters to the operator have a queue of their own, and go first. This file owns aiosmtplib.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import aiosmtplib

from core.clock import Clock, SystemClock
from core.errors import TeduhError
from core.shapes import Smtp

logger = logging.getLogger(__name__)

MAX_WAITING = 500
RETRY_AFTER_S = (5.0, 30.0, 120.0, 600.0)
TIMEOUT_S = 20.0
MAX_ADDRESS_CHARS = 254  # RFC 5321, 4.5.3.1.3, without the brackets
PERMANENT = 500  # RFC 5321, 4.2.1: 5yz will not change by asking again


class BadAddress(TeduhError):
    """This is no e-mail address that a letter can go to."""

    code = "bad_address"


def check_address(text: str) -> str:
    """Give an e-mail address as it is written to, without spaces around it. Raises ``BadAddress``.

    Takes what people have (``name@host.tld``), not all that RFC 5322 allows: no quotes, no comments.
    """
    address = text.strip()
    user, _, host = address.rpartition("@")
    plain = (
        address.isascii() and address.isprintable() and not any(sign in address for sign in ' "(),:;<>[\\]')
    )
    if not (plain and user and host and "@" not in user and len(address) <= MAX_ADDRESS_CHARS):
        raise BadAddress("This is not an e-mail address.")
    if ".." in address or host.startswith((".", "-")) or host.endswith((".", "-")):
        raise BadAddress("This is not an e-mail address.")
    try:
        Address(addr_spec=address)
    except (ValueError, IndexError, MessageError):
        raise BadAddress("This is not an e-mail address.") from None
    return address


@dataclass(order=True, slots=True)
class _Waiting:
    """One letter, and when it is tried next; those due at one time in the order in which they came."""

    due_s: float
    number: int
    letter: EmailMessage = field(compare=False)
    told: Callable[[bool], None] | None = field(compare=False)
    tries: int = field(default=0, compare=False)


class Mail:
    """The queues of letters and the task that sends them. ``start`` it, and ``close`` it."""

    def __init__(
        self,
        server: Smtp,
        *,
        sender: str,
        clock: Clock | None = None,
        retry_after_s: Sequence[float] = RETRY_AFTER_S,
        max_waiting: int = MAX_WAITING,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.counters: Counter[str] = Counter()
        """How many were ``sent``, ``failed`` (given up) and ``dropped`` (the queue was full)."""
        self._server = server
        self._sender = sender
        self._clock = clock or SystemClock()
        self._retry_after_s = tuple(retry_after_s)
        self._max_waiting = max_waiting
        self._context = context
        self._operators: list[_Waiting] = []
        self._others: list[_Waiting] = []
        self._numbers = 0
        self._open = 0
        self._news = asyncio.Event()
        self._done = asyncio.Event()
        self._done.set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to send what waits."""
        if self._task is None:
            self._task = asyncio.create_task(self._send_all(), name="mail")

    async def close(self) -> None:
        """Stop; what still waits is lost. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def send(
        self,
        to: str,
        subject: str,
        text: str,
        *,
        operator: bool = False,
        told: Callable[[bool], None] | None = None,
    ) -> None:
        """Put a letter into a queue; a full one drops it and says so in the log. Raises ``BadAddress``.

        ``operator``: it goes before all others. ``told`` is called once, with whether a server took it.
        """
        letter = EmailMessage()
        letter["From"] = self._sender
        letter["To"] = check_address(to)
        letter["Subject"] = " ".join(subject.split())
        letter["Date"] = format_datetime(self._clock.now())
        letter["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2].rstrip(">"))
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: no holiday greeting comes back
        letter.set_content(text)
        queue = self._operators if operator else self._others
        if len(queue) >= self._max_waiting:
            self.counters["dropped"] += 1
            logger.warning("mail.dropped", extra={"waiting": len(queue)})
            if told is not None:
                told(False)  # noqa: FBT003  # the one thing that is told
            return
        self._numbers += 1
        self._open += 1
        self._done.clear()
        heapq.heappush(queue, _Waiting(self._now_s(), self._numbers, letter, told))
        self._news.set()

    async def sent(self) -> None:
        """Wait until everything in the queues was sent or given up."""
        await self._done.wait()

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    async def _send_all(self) -> None:
        while True:
            self._news.clear()
            now_s = self._now_s()
            for queue in (self._operators, self._others):
                if queue and queue[0].due_s <= now_s:
                    await self._try(queue)
                    break
            else:
                await self._wait(min((queue[0].due_s for queue in self._queues() if queue), default=None))

    def _queues(self) -> tuple[list[_Waiting], list[_Waiting]]:
        return self._operators, self._others

    async def _wait(self, until_s: float | None) -> None:
        """Wait until the next letter is due, or a new one came."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until_s):
                await self._news.wait()

    async def _try(self, queue: list[_Waiting]) -> None:
        """Hand over the first letter of a queue; it goes back when it failed for a while."""
        one = queue[0]
        try:
            await self._hand_over(one.letter)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            again = one.tries < len(self._retry_after_s) and not _is_final(error)
            # The text of an error may quote addresses.
            logger.warning("mail.failed", extra={"kind": type(error).__name__, "again": again})
            _take_out(queue, one)
            if again:
                one.due_s = self._now_s() + self._retry_after_s[one.tries]
                one.tries += 1
                heapq.heappush(queue, one)
            else:
                self._finish(one, "failed")
        else:
            _take_out(queue, one)
            self._finish(one, "sent")

    def _finish(self, one: _Waiting, how: str) -> None:
        self.counters[how] += 1
        self._open -= 1
        if not self._open:
            self._done.set()
        if one.told is not None:
            one.told(how == "sent")

    async def _hand_over(self, letter: EmailMessage) -> None:
        """Give one letter to the server. Off this machine, never without TLS."""
        server = self._server
        await aiosmtplib.send(
            letter,
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.tls,
            start_tls=None if server.tls or server.is_near else True,
            tls_context=self._context,
            timeout=TIMEOUT_S,
            local_hostname="localhost",  # the machine's own name is nobody's business
        )


def _take_out(queue: list[_Waiting], one: _Waiting) -> None:
    """Take a letter out of its queue, where others may have come before it meanwhile."""
    queue.remove(one)
    heapq.heapify(queue)


def _is_final(error: Exception) -> bool:
    """Whether the server said a no that will not change by asking again."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(one.code >= PERMANENT for one in error.recipients)
    return isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= PERMANENT
