from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from core.errors import ConfigError
from counseling.cutoffs import CONCERNS, read_cutoffs
from counseling.instruments import OURS, Status, read_instrument, read_instruments
from counseling.triage import Reason, Risk, Suitability
from web import render

GOOD = (OURS / "phq9.toml").read_text(encoding="utf-8")
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_phq_9_and_gad_7_ship_in_both_languages() -> None:
    found = read_instruments()
    assert {one.name: (one.length, one.most) for one in found.values()} == {
        "PHQ-9": (9, 27),
        "GAD-7": (7, 21),
    }
    for one in found.values():
        assert set(one.translations) == {"id", "en"}
        assert "No permission required to reproduce" in one.license
        assert one.translations["en"].status is Status.ORIGINAL


def test_our_own_translation_is_not_called_validated() -> None:
    for one in read_instruments().values():
        ours = one.translations["id"]
        assert (ours.status, ours.validation) == (Status.UNVALIDATED, "")
        assert "the teduh project" in ours.made_by


def test_bands_are_those_of_the_papers() -> None:
    found = read_instruments()
    names = {points: found["phq9"].band(points).name["en"] for points in (0, 4, 5, 9, 10, 14, 15, 19, 20, 27)}
    assert list(names.values()) == [
        *("minimal", "minimal", "mild", "mild", "moderate", "moderate"),
        *("moderately severe", "moderately severe", "severe", "severe"),
    ]
    assert [found["gad7"].band(points).name["en"] for points in (4, 5, 10, 15, 21)] == [
        *("minimal", "mild", "moderate", "severe", "severe")
    ]


def test_item_9_is_the_one_that_asks_about_harm() -> None:
    phq9 = read_instruments()["phq9"]
    assert phq9.flag_item == 9
    assert phq9.flag is Reason.PHQ9_ITEM9
    assert "hurting yourself" in phq9.translations["en"].items[8]
    assert read_instruments()["gad7"].flag_item is None


@pytest.mark.parametrize(
    ("pattern", "put", "says"),
    [
        (r"^license = .*$", "", "license is missing"),
        (r"^license = .*$", 'license = " "', "license must be a text, and not empty"),
        (r"^source = .*$", "", "source is missing"),
        (r"^bands_source = .*$", "", "bands_source is missing"),
        (r"^name = .*$", 'nom = "PHQ-9"\nname = "PHQ-9"', "nom means nothing here"),
        (r"^range = .*$", "range = [0, 30]", "range must be [0, 27]"),
        (r"^range = .*$", "range = 27", "range must be [0, 27]"),
        (r"^points = \[.*$", "points = [0, 1, 1, 3]", "points must rise"),
        (r"^points = \[.*$", "points = [0, 1, 2]", "translations.id.choices must be as many as points"),
        (r"^points = \[.*$", 'points = [0, 1, 2, "3"]', "points[4] must be a whole number"),
        (r"^flag = .*$", 'flag = { item = 10, reason = "phq9_item9" }', "flag.item must be a whole number"),
        (r"^flag = .*$", 'flag = { item = 9, reason = "phq9_severe" }', "flag.reason must be one of"),
        (r"^adults_only = .*$", "adults_only = 1", "adults_only must be true or false"),
        (r"^to = 4$", "to = 5", "bands[2].from must be 6"),
        (r"^to = 27$", "to = 26", "bands must reach to 27"),
        (r"^title = .*$", 'title = { id = "x" }', "title needs words in id and en"),
        (r"^points = 20$", "points = 28", "cutoffs[2].points must be a whole number from 1 to 27"),
        (r'^risk = "watch"$', 'risk = "urgent"', "cutoffs[2].risk must be none or watch"),
        (r'^reason = "phq9_severe"$', 'reason = "depressed"', "cutoffs[2].reason must be one of"),
        (r'^suitability = "both"$', 'suitability = "phone"', "cutoffs[2].suitability must be one of"),
        (r'^source = "The band from 20.*$', "", "cutoffs[2].source is missing"),
        (r'^made_by = "proyek teduh.*$', "", "translations.id.made_by is missing"),
        (r'^source = "Translated from.*$', 'source = ""', "translations.id.source must be a text"),
        (r'^status = "unvalidated"$', 'status = "good"', "translations.id.status must be one of"),
        (r'^status = "unvalidated"$', 'status = "validated"', "translations.id.validation is missing"),
        (r"^validation = .*$", "", "translations.en.validation is missing"),
        (
            r'^status = "unvalidated"$',
            'status = "unvalidated"\nvalidation = "none"',
            "translations.id.validation must be left out",
        ),
        (r'^  "Feeling tired.*$', "", "translations must have as many items as each other"),
        (r"^\[translations.id\]$", "[translations.fr]", "translations must hold id or en"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_file_and_field(
    tmp_path: Path, pattern: str, put: str, says: str
) -> None:
    text, count = re.subn(pattern, put.replace("\\", "\\\\"), GOOD, count=1, flags=re.MULTILINE)
    assert count == 1
    (tmp_path / "phq9.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_instruments(tmp_path)
    assert str(refused.value).startswith("The instrument phq9.toml does not fit: ")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("PHQ.toml", GOOD, "its name must be"),
        ("phq9.toml", "= 1", "phq9.toml is not TOML"),
        ("phq9.toml", "\udcff", "phq9.toml is not TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=re.escape(says)):
        read_instruments(tmp_path)


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TEDUH_INSTRUMENTS"):
        read_instruments(tmp_path / "none")


def test_an_operators_file_takes_the_place_of_ours(tmp_path: Path) -> None:
    theirs = GOOD.replace(
        'status = "unvalidated"\nmade_by = "proyek teduh (the teduh project)"',
        'status = "validated"\nvalidation = "Dian 2022"\nmade_by = "Dian"',
    )
    (tmp_path / "phq9.toml").write_text(theirs, encoding="utf-8")
    found = read_instruments(tmp_path)
    assert set(found) == {"gad7", "phq9"}
    assert found["phq9"].translations["id"].status is Status.VALIDATED


def test_a_changed_word_has_another_digest(tmp_path: Path) -> None:
    (tmp_path / "phq9.toml").write_text(GOOD.replace("Merasa lelah", "Merasa sangat lelah"), encoding="utf-8")
    before, now = read_instruments()["phq9"], read_instruments(tmp_path)["phq9"]
    assert before.translations["en"].digest == now.translations["en"].digest
    assert before.translations["id"].digest != now.translations["id"].digest


def test_srq_20_loads_once_it_is_filled_in(tmp_path: Path) -> None:
    text = (EXAMPLES / "srq20.toml").read_text(encoding="utf-8")
    file = Path(shutil.copy(EXAMPLES / "srq20.toml", tmp_path))
    with pytest.raises(ConfigError, match=r"srq20\.toml does not fit: .*must be"):
        read_instrument(file)
    questions = ", ".join(f'"Question {number}"' for number in range(1, 21))
    file.write_text(text.replace('= ""', '= "From the WHO."').replace("items = []", f"items = [{questions}]"))
    srq20 = read_instruments(tmp_path)["srq20"]
    assert (srq20.length, srq20.most, srq20.flag_item) == (20, 20, 17)
    assert srq20.band(6).name["en"] == "at the cut-off or above"
    assert read_cutoffs({"srq20": srq20}).cutoffs.scores[0].sign.reason is Reason.SCORE_HIGH


def test_cut_offs_are_the_instruments_own_unless_an_operator_says() -> None:
    instruments = read_instruments()
    own = read_cutoffs(instruments)
    assert {(one.instrument, one.points) for one in own.cutoffs.scores} == {
        ("phq9", 10),
        ("phq9", 20),
        ("gad7", 15),
    }
    theirs = read_cutoffs(instruments, EXAMPLES / "cutoffs.toml")
    assert {(one.instrument, one.points) for one in theirs.cutoffs.scores} == {("phq9", 15), ("gad7", 15)}
    assert theirs.cutoffs.concerns["substances"].risk is Risk.WATCH
    assert theirs.cutoffs.concerns["unreal"].suitability is Suitability.IN_PERSON
    assert own.cutoffs.concerns["substances"].risk is Risk.NONE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[phq8]]\npoints = 1", "phq8 is none of the instruments"),
        ("phq9 = []", "phq9 must be a list"),
        ("[[phq9]]\npoints = 15", "phq9[1].reason is missing"),
        ('[[phq9]]\npoints = 15\nrisk = "watch"\nsuitability = "both"\nreason = "phq9_severe"', "source"),
        ("[concerns.moon]\n", "concerns.moon is none of the concerns"),
        ('[concerns.violence]\nrisk = "watch"', "concerns.violence must hold"),
        (
            '[concerns.violence]\nrisk = "urgent"\nsuitability = "both"\nreason = "violence"\nsource = "x"',
            "concerns.violence.risk must be none or watch",
        ),
        ("concerns = 1", "concerns must be a table"),
    ],
)
def test_cut_offs_that_do_not_fit_are_refused_by_file_and_field(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "cutoffs.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_cutoffs(read_instruments(), file)
    assert str(refused.value).startswith("The cut-offs in cutoffs.toml do not fit: ")
    assert says in str(refused.value)


def test_every_sign_says_who_decided_it() -> None:
    signs = read_cutoffs(read_instruments(), ours=CONCERNS).signs
    assert set(signs) == {"substances", "violence", "hurt_self", "unreal"}
    assert all(source for _, source in signs.values())


def test_every_reason_has_its_words() -> None:
    texts = render.make_renderer().texts
    for language in ("id", "en"):
        assert [one for one in Reason if not texts[language].get(f"triage.{one.value}")] == []
