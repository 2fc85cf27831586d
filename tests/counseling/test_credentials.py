from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from counseling.credentials import LANGUAGES, OURS, Verified, read_credentials
from counseling.topics import read_marks
from counseling.triage import Risk
from web import render

GOOD = OURS.read_text(encoding="utf-8")


def test_a_psychologist_takes_everybody_and_a_trainee_nobody_at_risk() -> None:
    kinds = read_credentials().kinds
    assert all(kinds["psychologist"].may_take(risk) for risk in Risk)
    assert [risk for risk in Risk if kinds["school_counselor"].may_take(risk)] == [Risk.NONE, Risk.WATCH]
    assert [risk for risk in Risk if kinds["trainee"].may_take(risk)] == [Risk.NONE]
    assert kinds["trainee"].supervisor
    assert not kinds["psychologist"].supervisor


def test_a_background_check_asks_for_its_date() -> None:
    assert Verified.BACKGROUND_CHECKED_ON in read_credentials().kinds["psychologist"].required


@pytest.mark.parametrize(
    ("degree", "kind", "enough"),
    [
        ("sarjana", "psychologist", False),
        ("profesi", "psychologist", True),
        ("doktor", "psychologist", True),
        ("sarjana", "trainee", True),
        ("", "trainee", False),
        ("professor", "trainee", False),
    ],
)
def test_degrees_rise(degree: str, kind: str, enough: bool) -> None:
    credentials = read_credentials()
    assert credentials.degree_suffices(degree, credentials.kinds[kind]) is enough


def test_data_speaks_the_languages_of_the_pages() -> None:
    assert set(LANGUAGES) == set(render.LANGUAGES)
    marks = read_marks()
    assert all(set(names) == set(LANGUAGES) for names in (*marks.topics.values(), *marks.languages.values()))


@pytest.mark.parametrize(
    ("found", "put", "says"),
    [
        (
            'risk = ["none", "watch", "urgent"]',
            'risk = ["urgent"]',
            "risk must start at none",
        ),
        ('risk = ["none", "watch"]', 'risk = ["none", "urgent"]', "school_counselor.risk"),
        ('risk = ["none", "watch"]', 'risk = ["none", "grave"]', "has grave; there are none, watch, urgent"),
        ('degree = "profesi"', 'degree = "profesor"', "kinds.psychologist.degree must be one of sarjana"),
        ("supervisor = true", 'supervisor = "yes"', "supervisor must be true or false"),
        ("minors = true\n", "", "kinds.psychologist lacks minors"),
        ("minors = true\n", "minors = true\nshoes = 1\n", "has what is not known: shoes"),
        ('name = { id = "Psikolog", ', 'name = { id = "", ', "kinds.psychologist.name has empty words"),
        ('name = { id = "Psikolog", ', "name = { ", "kinds.psychologist.name needs words in id and en"),
        (
            'proofs = ["licence", "degree", "background"]',
            'proofs = ["selfie"]',
            "has selfie; there are",
        ),
        ('required = ["issuing_body", "valid_until"]', 'required = ["shoe_size"]', "has shoe_size"),
        ('required = ["issuing_body", "valid_until"]', "required = 3", "must be a list of words"),
        ('order = ["sarjana", ', 'order = ["sarjana", "sarjana", ', "names something twice"),
        ('order = ["sarjana", ', "order = [", "must name each degree once"),
        ("[kinds.trainee]", "[kinds.Trainee-1]", "kinds.Trainee-1 must be 2 to 40 small letters"),
        ('source = "UU 17/2023 tentang Kesehatan"', 'source = " "', "must name the law or rule"),
        ("[proof_kinds]", "[proof_types]", "has what is not known: proof_types"),
        ("[degrees]", "[degrees", "is not TOML"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, found: str, put: str, says: str) -> None:
    assert found in GOOD
    file = tmp_path / "own.toml"
    file.write_text(GOOD.replace(found, put, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_credentials(file)
    assert says in str(error.value)
    assert "own.toml" in str(error.value)


def test_an_operators_own_file_takes_the_place_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(GOOD.replace("[kinds.trainee]", "[kinds.volunteer]"), encoding="utf-8")
    assert "volunteer" in read_credentials(file).kinds
    assert "trainee" not in read_credentials(file).kinds


def test_a_file_that_is_not_there_stops_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml cannot be read"):
        read_credentials(tmp_path / "gone.toml")


def test_topics_without_words_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "topics.toml"
    for text in ("", "[topics]\n", "[topics]\nstudy = { id = 'Kuliah' }\n"):
        file.write_text(text)
        with pytest.raises(ConfigError, match="do not fit"):
            read_marks(file)
