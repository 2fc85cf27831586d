"""What the API and the metrics tell of one session is held against each other."""

from __future__ import annotations

from typing import Any

from bench.agreement import Told, by_api, by_metrics, by_report, differences, page_differences

BEFORE = """
# TYPE teduh_calls_gap_seconds histogram
teduh_calls_gap_seconds_bucket{le="1.0"} 1.0
teduh_calls_gap_seconds_bucket{le="+Inf"} 1.0
teduh_calls_gap_seconds_count 1.0
teduh_calls_gap_seconds_sum 0.9
# TYPE teduh_calls_troubles_total counter
teduh_calls_troubles_total{direction="both",kind="cut"} 1.0
# TYPE teduh_calls_events_total counter
teduh_calls_events_total{kind="interrupted"} 1.0
"""
AFTER = """
# TYPE teduh_calls_gap_seconds histogram
teduh_calls_gap_seconds_bucket{le="1.0"} 1.0
teduh_calls_gap_seconds_bucket{le="+Inf"} 3.0
teduh_calls_gap_seconds_count 3.0
teduh_calls_gap_seconds_sum 9.4
# TYPE teduh_calls_troubles_total counter
teduh_calls_troubles_total{direction="both",kind="cut"} 3.0
teduh_calls_troubles_total{direction="up",kind="loss"} 1.0
# TYPE teduh_calls_events_total counter
teduh_calls_events_total{kind="interrupted"} 3.0
teduh_calls_events_total{kind="grade"} 1.0
"""


def record(*, gaps_ms: tuple[int, ...] = (5_400, 3_100)) -> dict[str, Any]:
    return {
        "summary": {"participants": {"a": {"causes": {"both_cut": 2}}, "b": {"causes": {"up_loss": 1}}}},
        "drops": [{"gap_ms": gap_ms} for gap_ms in gaps_ms],
        "events": [{"kind": "interrupted"}, {"kind": "interrupted"}, {"kind": "grade"}],
    }


def test_both_sides_are_added_up_and_what_was_before_is_taken_off() -> None:
    told = by_metrics(BEFORE, AFTER)
    assert told.drops == 2
    assert round(told.gone_ms) == 8_500
    assert told.causes == {"both_cut": 2, "up_loss": 1}
    assert told.events == {"interrupted": 2, "grade": 1}
    assert differences(by_api(record()), told) == []


def test_each_difference_is_named() -> None:
    metrics = Told(3, 8_500.0, {"both_cut": 2}, {"interrupted": 2, "grade": 1})
    assert differences(by_api(record(gaps_ms=(5_400, 3_200))), metrics) == [
        "drops: 2 by the API, 3 by the metrics",
        "time gone: 8600 ms by the API, 8500 ms by the metrics",
        "cause up_loss: 1 by the API, 0 by the metrics",
    ]


PAGE = """
<h2 id="drops">Breaks</h2><table><thead><tr><th scope="col">When</th></tr></thead><tbody>
<tr><th scope="row">9:04:10</th><td data-label="Whose">Client</td><td>5.4 s</td><td>cut</td></tr>
<tr><th scope="row">9:07:31</th><td class="a">Counselor</td><td>3 s</td><td>cut <b>down</b></td></tr>
</tbody></table>
<h2 id="events">All</h2><table><tbody>
<tr><th scope="row">9:04:10</th><td>Client</td><td>broke</td></tr>
</tbody></table>
"""


def test_the_page_shows_each_drop_at_the_same_door_as_the_api() -> None:
    page = by_report(PAGE)
    assert page.drops == ["Client", "Counselor"]
    assert page.events == 1
    drops = [{"participant": "a"}, {"participant": "b"}]
    assert page_differences({"drops": drops, "events": [{}]}, page) == []
    assert page_differences({"drops": [drops[0], drops[0]], "events": [{}]}, page) == [
        "drops: the page lays them at other doors than the API"
    ]
    assert page_differences({"drops": drops[:1], "events": [{}, {}]}, page) == [
        "drops: 1 by the API, 2 on the page",
        "events: 2 by the API, 1 on the page",
    ]
