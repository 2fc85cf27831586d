"""No memory on disk: a core dump would hold keys, and the picture and voice that were just sealed."""

from __future__ import annotations

import ctypes
import resource
from typing import Final

PR_SET_DUMPABLE: Final = 4  # linux/prctl.h


def forbid_dumps() -> None:
    """Have the kernel write no core dump of this process, and let no other one of this user look into it.

    A limit of 0 alone is not asked for when dumps are piped to a program (core(5)), as systemd does it.
    Children begin anew with the second half, as with every ``execve`` (prctl(2), PR_SET_DUMPABLE).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    try:
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (OSError, AttributeError):
        return  # no Linux: the limit is what there is
