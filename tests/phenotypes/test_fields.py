from __future__ import annotations

from pathlib import Path

import pytest

from bmx.errors import PhenotypeError
from bmx.phenotypes.fields import Spelling, field_columns, load_fields, platform_column, read_spelling
from bmx.variables import variables_of


def test_load_fields__are_exactly_the_declared_phenotypes() -> None:
    # A field without a declared unit would give numbers that nobody can interpret, and the reverse could never be read.
    assert set(load_fields()) == {variable.name for variable in variables_of("phenotypes")}


def test_load_fields__have_different_ids_and_titles() -> None:
    # Left and right femur have nearly the same titles; a copied line would read one for the other.
    fields = load_fields().values()
    assert len({field.id for field in fields}) == len({field.title for field in fields}) == len(fields)


def test_load_fields__t_scores_have_no_missing_codes() -> None:
    # -1.0 and -3.0 are common T-scores; a blanket replacement of coded negatives would delete osteopaenia.
    assert all(not field.missing for name, field in load_fields().items() if name.startswith("tscore"))


def test_load_fields__every_bone_density_takes_zero_as_missing() -> None:
    assert {name for name, field in load_fields().items() if field.zero_is_missing} == {
        name for name in load_fields() if name.startswith("bmd_")
    }


@pytest.mark.parametrize(
    "column",
    [
        "23204-2.0",
        "f.23204.2.0",
        "p23204_i2",
        "participant.p23204_i2",
        "p23204_i2_a0",
        "L1-L4 BMD (bone mineral density) | Instance 2",
    ],
)
def test_field_columns__finds_every_spelling(column: str) -> None:
    spellings = [read_spelling(name) for name in ("eid", "p50_i2", column)]
    assert field_columns(spellings, load_fields()["bmd_spine"]) == {2: 2}


def test_field_columns__takes_only_the_first_array_item() -> None:
    spellings = [read_spelling(name) for name in ("50-2.1", "p50_i2_a3", "Standing height | Instance 2 | Array 1")]
    assert field_columns(spellings, load_fields()["height"]) == {}


def test_field_columns__a_title_that_starts_like_another_is_another() -> None:
    # "Height" (12144) and "Standing height" (50) are different measurements.
    spellings = [read_spelling("Height | Instance 2")]
    assert field_columns(spellings, load_fields()["height"]) == {}
    assert field_columns(spellings, load_fields()["height_imaging"]) == {0: 2}


def test_read_spelling__a_foreign_name_is_kept() -> None:
    assert read_spelling("my column") == Spelling("my column")


def test_platform_column__is_read_back_as_the_same_field() -> None:
    for field in load_fields().values():
        spelling = read_spelling(platform_column(field, instance=3))
        at = 3 if field.asked_at is None else field.asked_at
        assert field_columns([spelling], field) == {0: None if field.once else at}


def test_load_fields__text_is_declared_as_text() -> None:
    # What is read as labels, but declared as numbers, could never be validated.
    declared = {variable.name: variable.dtype for variable in variables_of("phenotypes")}
    for field in load_fields().values():
        expected = "datetime64[s]" if field.date else "string" if field.labels or field.many else "float64"
        assert declared[field.name] == expected, field.name


def test_load_fields__takes_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[grip]\nid = 47\ntitle = "Hand grip strength (right)"\nunits = "Kg"\n')
    grip = load_fields(path)["grip"]
    assert grip.attrs == {"long_name": "Hand grip strength (right) (field 47)", "units": "Kg"}
    assert "grip" not in load_fields()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[grip]\nid = 47\n", "grip in mine.toml has no title"),
        ('[grip]\nid = 47\ntitle = "Grip"\nunit = "Kg"\n', "grip in mine.toml has 'unit'; .*did you mean units"),
        ('[density]\nid = 23204\ntitle = "BMD"\n', r"density \(field 23204\) in mine.toml: bmx has bmd_spine already"),
        ('[bmff]\nid = 99\ntitle = "Mine"\n', "bmx has bmff already"),
        ('[grip]\nid = 47\ntitle = "Grip"\nscale = 9.81\n', "grip in mine.toml has a scale, but no scaled_units"),
        ("[grip\n", "mine.toml cannot be read as fields"),
    ],
)
def test_load_fields__refuses_what_it_would_misread(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(PhenotypeError, match=message):
        load_fields(path)
