"""What erasing a person goes through: one eraser for each package that keeps something about people.

Each is ``async def erase(db, *, user, now)`` and stands here by name; ``accounts/erasure.py`` calls them in
this order. Rows that refer to ``users`` and say ``ON DELETE CASCADE`` go by themselves.
"""

from __future__ import annotations

from typing import Final

from accounts import consents, contacts, invitations, notices
from accounts.erasure import Eraser
from counseling import complaints, incidents, minors, roster
from recordings import ending
from signaling import directory

ERASERS: Final[tuple[Eraser, ...]] = (
    notices.erase,
    contacts.erase,
    invitations.erase,
    consents.erase,
    minors.erase,
    roster.erase,
    complaints.erase,
    incidents.erase,
    ending.erase,
    directory.erase,
)
