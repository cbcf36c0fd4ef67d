from __future__ import annotations

import pytest

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
        assert field_columns([spelling], field) == {0: None if field.once else 3}
