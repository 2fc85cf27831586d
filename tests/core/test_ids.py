from __future__ import annotations

import re

from core.clock import SystemClock, rfc3339
from core.ids import new_api_key_id, new_participant_id, new_session_id


def test_ids_are_url_safe_and_never_the_same() -> None:
    for prefix, make in (("s", new_session_id), ("p", new_participant_id), ("k", new_api_key_id)):
        made = {make() for _ in range(1000)}
        assert len(made) == 1000
        assert all(re.fullmatch(prefix + "_[0-9a-z]{20}", one) for one in made)


def test_time_is_written_as_rfc_3339() -> None:
    now = SystemClock().now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", rfc3339(now) or "")
    assert rfc3339(None) is None
    assert SystemClock().monotonic() <= SystemClock().monotonic()
