from __future__ import annotations

import gzip
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bmx.errors import PhenotypeError
from bmx.phenotypes.read import read_phenotypes
from bmx.schema import validate

SPELLINGS = {
    "ukbconv csv": ("eid", "31-0.0", "21003-2.0", "23204-2.0"),
    "ukbconv tab": ("f.eid", "f.31.0.0", "f.21003.2.0", "f.23204.2.0"),
    "platform": ("eid", "p31", "p21003_i2", "p23204_i2"),
    "platform dataset": ("participant.eid", "participant.p31", "participant.p21003_i2", "participant.p23204_i2"),
    "titles": (
        "Participant ID",
        "Sex",
        "Age when attended assessment centre | Instance 2",
        "L1-L4 BMD (bone mineral density) | Instance 2",
    ),
}


def write(path: Path, *rows: tuple[object, ...], separator: str = ",") -> Path:
    path.write_text("".join(separator.join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", "\t"], ids=["csv", "tsv"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_read_phenotypes__reads_every_spelling_alike(spelling: str, separator: str, tmp_path: Path) -> None:
    columns = SPELLINGS[spelling]
    table = write(tmp_path / "t.txt", columns, (2000002, 1, 63, 1.25), (1000001, 0, 61, ""), separator=separator)
    phenotypes = read_phenotypes(table)
    assert phenotypes["participant"].dtype == np.int64
    assert phenotypes["participant"].values.tolist() == [2000002, 1000001]  # the table's order
    assert phenotypes["sex"].values.tolist() == ["Male", "Female"]
    np.testing.assert_array_equal(phenotypes["age"], [63, 61])
    np.testing.assert_array_equal(phenotypes["bmd_spine"], [1.25, np.nan])
    assert phenotypes["bmd_spine"].attrs["ukb_column"] == columns[3]
    assert phenotypes["bmd_spine"].attrs["ukb_field"] == 23204
    assert phenotypes["bmd_spine"].attrs["units"] == "g cm-2"


def test_read_phenotypes__result_is_as_declared(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31", "p54_i2", "p23288_i2"), (1, 0, 11025, 900))
    validate(read_phenotypes(table), "participant", "sex", "assessment_centre", "vat_mass")


def test_read_phenotypes__reads_gzip_with_byte_order_mark_and_quotes(tmp_path: Path) -> None:
    # ukbconv quotes every cell; a spreadsheet that saved the file puts a mark before "eid".
    table = tmp_path / "t.csv.gz"
    table.write_bytes(gzip.compress('\ufeff"eid","31-0.0"\n"1000001","1"\n'.encode()))
    assert read_phenotypes(table)["sex"].values.tolist() == ["Male"]


def test_read_phenotypes__sex_as_words_or_floats_or_missing(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31"), (1, "Female"), (2, "Male"), (3, "1.0"), (4, ""), (5, "NA"))
    assert read_phenotypes(table)["sex"].values.tolist() == ["Female", "Male", "Male", "", ""]


def test_read_phenotypes__density_of_zero_is_missing_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p23204_i2"), (1, "0"), (2, "0.0"), (3, "1.1"), (4, ""))
    with caplog.at_level(logging.WARNING):
        spine = read_phenotypes(table)["bmd_spine"]
    np.testing.assert_array_equal(spine, [np.nan, np.nan, 1.1, np.nan])
    assert spine.attrs["zeros_to_missing"] == 2
    assert "bmd_spine: 2 values of 0 g cm-2 set to missing" in caplog.text


def test_read_phenotypes__the_t_score_of_a_failed_scan_is_missing(tmp_path: Path) -> None:
    """A density of 0 has a T-score of -9, by which anybody would be osteoporotic; another visit's stays."""
    rows = [
        (1, "0", "-9.2", "1.0", "-1.1"),
        (2, "1.2", "0.3", "0", "-9.0"),
        (3, "0", "-9.2", "", ""),
        (4, "", "-2", "", ""),
    ]
    header = ("eid", "p23291_i2", "p23293_i2", "p23291_i3", "p23293_i3")
    table = write(tmp_path / "t.csv", header, *rows)
    alone, both = (read_phenotypes(table, instance=one)["tscore_total_hip"] for one in (2, (2, 3)))
    np.testing.assert_array_equal(alone, [np.nan, 0.3, np.nan, -2])
    np.testing.assert_array_equal(both, [-1.1, 0.3, np.nan, -2])
    assert alone.attrs["zeros_to_missing"] == 2
    only = read_phenotypes(table, fields=["tscore_total_hip"])  # the density is looked at, and not given
    assert list(only.data_vars) == ["tscore_total_hip"]
    np.testing.assert_array_equal(only["tscore_total_hip"], alone)


def test_read_phenotypes__t_scores_of_minus_one_and_three_and_zero_stay(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p23205_i2"), (1, "-1"), (2, "-3"), (3, "-3.0"), (4, "0"))
    np.testing.assert_array_equal(read_phenotypes(table)["tscore_spine"], [-1, -3, -3, 0])


def test_read_phenotypes__coded_negatives_are_missing_where_the_coding_says_so(tmp_path: Path) -> None:
    rows = [(1, "1"), (2, "-1"), (3, "-3"), (4, "No"), (5, "Prefer not to answer")]
    table = write(tmp_path / "t.csv", ("eid", "p2443_i2"), *rows)
    np.testing.assert_array_equal(read_phenotypes(table)["diabetes_doctor"], [1, np.nan, np.nan, 0, np.nan])


def test_read_phenotypes__centre_as_code_or_name_or_unlisted_code(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p54_i2"), (1, "11025"), (2, "Reading (imaging)"), (3, "11012"))
    np.testing.assert_array_equal(read_phenotypes(table)["assessment_centre"], [11025, 11026, 11012])


def test_read_phenotypes__vat_is_in_kilograms(tmp_path: Path) -> None:
    vat = read_phenotypes(write(tmp_path / "t.csv", ("eid", "p23288_i2"), (1, "949")))["vat_mass"]
    assert vat.attrs["units"] == "kg"
    np.testing.assert_allclose(vat, [0.949])


def test_read_phenotypes__takes_the_asked_visit(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31", "p50_i2", "p50_i3"), (1, 0, 170, 169))
    third = read_phenotypes(table, instance=3)
    assert third["height"].item() == 169
    assert third["height"].attrs["ukb_instance"] == 3
    assert third["sex"].item() == "Female"
    assert "ukb_instance" not in third["sex"].attrs


def test_read_phenotypes__loads_only_what_is_asked(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31", "p50_i2"), (1, 0, "not a number"))
    assert list(read_phenotypes(table, fields=["sex"]).data_vars) == ["sex"]


def test_read_phenotypes__without_eid_says_what_was_found(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("id", "p31"), (1, 0))
    with pytest.raises(PhenotypeError, match=r"t\.csv has no EID column; expected .*eid.*found 2 columns: id, p31"):
        read_phenotypes(table)


def test_read_phenotypes__repeated_eid(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31"), (7, 0), (8, 1), (7, 0))
    with pytest.raises(PhenotypeError, match=r"1 EIDs stand in more than one row, .*: 7; remove"):
        read_phenotypes(table)


def test_read_phenotypes__eid_that_is_not_a_number(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31"), (7, 0), ("total", 1))
    with pytest.raises(PhenotypeError, match="expected whole-number EIDs, found 'total' in row 3"):
        read_phenotypes(table)


@pytest.mark.parametrize("value", ["1,02", "abc", "inf", "<0.5"])
def test_read_phenotypes__value_that_is_not_a_number(value: str, tmp_path: Path) -> None:
    table = write(tmp_path / "t.tsv", ("eid", "p23204_i2"), (7, 1.1), (8, value), (9, value), separator="\t")
    expected = r"column 'p23204_i2' \(bmd_spine\) expected a number, found '.*' in row 3 \(EID 8\) and 1 more"
    with pytest.raises(PhenotypeError, match=expected):
        read_phenotypes(table)


def test_read_phenotypes__sex_that_is_no_code(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31"), (7, 2))
    with pytest.raises(PhenotypeError, match=r"expected 0 or Female or 1 or Male, found '2' in row 2 \(EID 7\)"):
        read_phenotypes(table)


def test_read_phenotypes__unknown_field_names_the_closest(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31"), (7, 0))
    with pytest.raises(PhenotypeError, match="no phenotype field is called 'bmd_spin'; the closest are bmd_spine"):
        read_phenotypes(table, fields=["bmd_spin"])


def test_read_phenotypes__asked_field_at_another_visit_only(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31", "p50_i0"), (7, 0, 170))
    with pytest.raises(
        PhenotypeError, match=r"height \(field 50\) has no column at instance 2; found it at instance 0"
    ):
        read_phenotypes(table, fields=["sex", "height"])


def test_read_phenotypes__one_field_in_two_columns(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31", "participant.p31"), (7, 0, 1))
    with pytest.raises(PhenotypeError, match=r"sex \(field 31\) is in columns 'p31' and 'participant.p31'"):
        read_phenotypes(table)


@pytest.mark.parametrize("rows", [[(7, 0, 170, 22), (8, 1, 166, 1, 23)], [(8, 1, 166, 1, 23), (7, 0, 170, 22)]])
def test_read_phenotypes__row_with_more_cells_than_the_header(rows: list[tuple[int, ...]], tmp_path: Path) -> None:
    # 166,1 cm without quotes: the decimal would be read as the BMI, which is a number too.
    table = write(tmp_path / "t.csv", ("eid", "p31", "p50_i2", "p21001_i2"), *rows)
    with pytest.raises(
        PhenotypeError, match=r"row [23] of t.csv \(8, 1, ...\) has 5 cells, expected 4 as in the header"
    ):
        read_phenotypes(table)


def test_read_phenotypes__separators_at_the_end_of_rows_and_cells_left_out_are_harmless(tmp_path: Path) -> None:
    # Spreadsheets write the first, and leave out empty cells at the end; whichever row comes first.
    table = write(tmp_path / "t.csv", ("eid", "p31", "p50_i2"), (7,), (8, 1, 166, ""), (), (9, 0, 171))
    phenotypes = read_phenotypes(table)
    assert phenotypes["participant"].values.tolist() == [7, 8, 9]
    assert phenotypes["sex"].values.tolist() == ["", "Male", "Female"]
    np.testing.assert_array_equal(phenotypes["height"], [np.nan, 166, 171])


def test_read_phenotypes__a_quote_left_open_swallows_nobody(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31"), (7, 0), (8, '"1'), (9, 0))
    with pytest.raises(PhenotypeError, match="cannot be read as a table of text"):
        read_phenotypes(table)


def test_read_phenotypes__a_quoted_cell_may_hold_the_separator(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", '"Diet, coded"', "p31"), (7, '"a, b"', 1))
    assert read_phenotypes(table)["sex"].values.tolist() == ["Male"]


def test_read_phenotypes__no_known_field(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p9999_i2"), (7, 0))
    with pytest.raises(
        PhenotypeError, match=r"no field that bmx knows at instance 2; columns found: eid, p9999_i2; .* 31 .sex."
    ):
        read_phenotypes(table)


def test_read_phenotypes__missing_empty_or_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(PhenotypeError, match="there is no phenotype table at"):
        read_phenotypes(tmp_path / "nowhere.csv")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(PhenotypeError, match="holds no participants"):
        read_phenotypes(tmp_path / "empty.csv")
    with pytest.raises(PhenotypeError, match="holds no participants"):
        read_phenotypes(write(tmp_path / "header.csv", ("eid", "p31")))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"eid,p31\n" + b"1000001,0\n" * 50)[:-20])
    with pytest.raises(PhenotypeError, match="cannot be read as a table of text"):
        read_phenotypes(tmp_path / "cut.csv.gz")


def test_read_phenotypes__parquet_gives_what_text_gives(tmp_path: Path) -> None:
    """Numbers, codes and days have types there, and what is missing is null."""
    rows = [(1, 0, 61.0, 11025, "2019-05-31", 1.25), (2, 1, None, 11026, "", 0.0), (3, None, 64.0, None, "", None)]
    names = ("eid", "p31", "p21003_i2", "p54_i2", "p53_i2", "p23204_i2")
    text = write(tmp_path / "t.csv", names, *[tuple("" if cell is None else cell for cell in row) for row in rows])
    typed = pd.DataFrame(rows, columns=list(names))
    typed["p53_i2"] = pd.to_datetime(typed["p53_i2"].replace("", None))
    typed.to_parquet(tmp_path / "t.parquet")
    found, expected = read_phenotypes(tmp_path / "t.parquet"), read_phenotypes(text)
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())
    assert found["bmd_spine"].attrs == expected["bmd_spine"].attrs
    assert found["imaging_date"].dtype == expected["imaging_date"].dtype == np.dtype("datetime64[s]")


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (("p41270",), [("I10|M545",), ("",)]),
        (("Diagnoses - ICD10",), [('"[""I10"",""M54.5""]"',), ("[]",)]),
        (("41270-0.0", "41270-0.1", "41270-0.2"), [("I10", "M545", ""), ("", "", "")]),
        (("f.41270.0.1", "f.41270.0.0"), [("M545", "I10"), ("NA", "NA")]),
        (("participant.p41270",), [("I10 Essential (primary) hypertension|M54.5 Low back pain",), ("",)]),
    ],
)
def test_read_phenotypes__diagnoses_in_one_cell_or_in_hundreds(
    columns: tuple[str, ...], rows: list[tuple[str, ...]], tmp_path: Path
) -> None:
    table = write(tmp_path / "t.csv", ("eid", *columns), *[(eid, *row) for eid, row in enumerate(rows, 1)])
    assert read_phenotypes(table)["icd10"].values.tolist() == ["I10|M545", ""]


def test_read_phenotypes__diagnoses_and_their_days_stay_in_step(tmp_path: Path) -> None:
    names = ("eid", "p41270", "p41280_a0", "p41280_a1")
    found = read_phenotypes(write(tmp_path / "t.csv", names, (1, "I10|M545", "2001-02-03", "1999-01-01")))
    assert found["icd10_date"].item() == "2001-02-03|1999-01-01"


def test_read_phenotypes__takes_each_value_from_the_first_visit_that_has_one(tmp_path: Path) -> None:
    names = ("eid", "p50_i2", "p50_i3", "p53_i2", "p53_i3", "p20002_i2_a0", "p20002_i3_a0", "p31")
    rows = [(1, 170, 169, "2016-01-02", "2019-03-04", 1065, 1111, 0), (2, "", 180, "", "2020-05-06", "", 1226, 1)]
    found = read_phenotypes(write(tmp_path / "t.csv", names, *rows), instance=(2, 3))
    assert found["height"].values.tolist() == [170, 180]
    assert found["imaging_date"].values.astype(str).tolist() == ["2016-01-02T00:00:00", "2020-05-06T00:00:00"]
    assert found["self_reported_illness"].values.tolist() == ["1065", "1226"]
    assert found["height"].attrs["ukb_column"] == ["p50_i2", "p50_i3"]
    assert found["height"].attrs["ukb_instance"] == [2, 3]
    assert found.attrs["phenotype_instance"] == [2, 3]


def test_read_phenotypes__handedness_was_asked_at_the_first_visit(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p1707_i0", "p21000_i0"), (1, 2, 1001), (2, -3, "Indian"))
    found = read_phenotypes(table, instance=2)
    assert found["handedness"].values.tolist() == ["Left-handed", ""]
    assert found["ethnic_background"].values.tolist() == ["British", "Indian"]


def test_read_phenotypes__day_that_is_none(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p53_i2"), (1, "2019-05-31"), (2, "31 May"))
    with pytest.raises(PhenotypeError, match=r"\(imaging_date\) expected a day as 2019-05-31, found '31 May' in row 3"):
        read_phenotypes(table)


def test_read_phenotypes__fields_by_number(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31", "p50_i2", "p21001_i2"), (1, 0, 170, 22))
    assert list(read_phenotypes(table, fields=[50, "31", "bmi"]).data_vars) == ["height", "sex", "bmi"]
    with pytest.raises(PhenotypeError, match="no phenotype field is called 51"):
        read_phenotypes(table, fields=[51])


def test_read_phenotypes__fields_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[grip]\nid = 47\ntitle = "Hand grip strength (right)"\nunits = "Kg"\nscale = 9.81\nscaled_units = "N"\n'
        '[smoking]\nid = 20116\ntitle = "Smoking status"\nlabels = true\ncodes = { 0 = "Never", 2 = "Current" }\n'
    )
    table = write(tmp_path / "t.csv", ("eid", "p47_i2", "p20116_i2"), (1, 10, 2), (2, "", 0))
    found = read_phenotypes(table, own_fields=own)
    np.testing.assert_allclose(found["grip"], [98.1, np.nan])
    assert found["grip"].attrs["units"] == "N"
    assert found["smoking"].values.tolist() == ["Current", "Never"]


def test_read_phenotypes__leaves_out_who_has_withdrawn(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", ("eid", "p31"), (1, 0), (2, 1), (3, 1))
    listed = tmp_path / "w.csv"
    listed.write_text("2\n99\n")
    for gone in (listed, [2, 99]):
        found = read_phenotypes(table, withdrawn=gone)
        assert found["participant"].values.tolist() == [1, 3]
        assert found.attrs["withdrawn_left_out"] == 1


def test_read_phenotypes__damaged_parquet(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"eid,p31")
    with pytest.raises(PhenotypeError, match="cannot be read as Parquet"):
        read_phenotypes(tmp_path / "t.parquet")
    with pytest.raises(PhenotypeError, match="there is no phenotype table"):
        read_phenotypes(tmp_path / "none.parquet")
