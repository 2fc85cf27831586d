"""Letters by e-mail. Whoever sends one is never made to wait for a mail server.

``send`` puts a letter into a short queue and returns; one task takes them out, in order. A server
that cannot be reached is tried again for some minutes, then the letter is dropped and counted: what
matters stands in the person's inbox here, a letter only says that something is there. This file owns
aiosmtplib.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import Counter
from collections.abc import Sequence
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import aiosmtplib

from core.clock import Clock, SystemClock
from core.errors import TeduhError
from core.settings import Smtp

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


class Mail:
    """A queue of letters and the task that sends them. ``start`` it, and ``close`` it."""

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
        self._context = context
        self._waiting: asyncio.Queue[EmailMessage] = asyncio.Queue(max_waiting)
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

    async def send(self, to: str, subject: str, text: str) -> None:
        """Put a letter into the queue; a full one drops it and says so in the log. Raises ``BadAddress``."""
        letter = EmailMessage()
        letter["From"] = self._sender
        letter["To"] = check_address(to)
        letter["Subject"] = " ".join(subject.split())
        letter["Date"] = format_datetime(self._clock.now())
        letter["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2].rstrip(">"))
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: no holiday greeting comes back
        letter.set_content(text)
        try:
            self._waiting.put_nowait(letter)
        except asyncio.QueueFull:
            self.counters["dropped"] += 1
            logger.warning("mail.dropped", extra={"waiting": self._waiting.qsize()})

    async def sent(self) -> None:
        """Wait until everything in the queue was sent or given up."""
        await self._waiting.join()

    async def _send_all(self) -> None:
        while True:
            letter = await self._waiting.get()
            try:
                await self._try(letter)
            finally:
                self._waiting.task_done()

    async def _try(self, letter: EmailMessage) -> None:
        for wait_s in (*self._retry_after_s, None):
            try:
                await self._hand_over(letter)
            except (aiosmtplib.SMTPException, OSError, ValueError) as error:
                # The text of an error may quote addresses.
                logger.warning(
                    "mail.failed", extra={"kind": type(error).__name__, "again": wait_s is not None}
                )
                if wait_s is None or _is_final(error):
                    break
                await asyncio.sleep(wait_s)
            else:
                self.counters["sent"] += 1
                return
        self.counters["failed"] += 1

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


def _is_final(error: Exception) -> bool:
    """Whether the server said a no that will not change by asking again."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(one.code >= PERMANENT for one in error.recipients)
    return isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= PERMANENT
