from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from bmx.analysis.diagnoses import phecodes
from bmx.errors import AnalysisError


@pytest.fixture
def icd_map(tmp_path: Path) -> Path:
    path = tmp_path / "phecode_icd10.csv"
    path.write_text("ICD10,PHECODE,PheWAS\nM80.0,743.11,x\nM81,743.1,x\nM81,743.10,x\nE11,250.2,x\nB99,,x\n")
    return path


def test_phecodes__are_text_and_every_one_that_a_code_means(icd_map: Path) -> None:
    """743.1 is not 743.10; read as numbers they would be."""
    found = phecodes(pd.Series(["M81"], index=[7]), map=icd_map, rollup=False).flags
    assert found.columns.tolist() == ["743.1", "743.10"]


@pytest.mark.parametrize("cell", ["M80.08|E11", "[M80.08,E11]", "['M8008', 'E11']", ["M80.08", "E11"], "E11|M8008|E11"])
def test_phecodes__reads_all_spellings(icd_map: Path, cell: object) -> None:
    """With and without a point, joined by | or in brackets, as UK Biobank's table and the platform give them."""
    found = phecodes(pd.Series([cell], index=[7]), map=icd_map)
    assert found.flags.columns[found.flags.loc[7]].tolist() == ["250", "250.2", "743", "743.1", "743.11"]
    assert found.unmapped.empty


def test_phecodes__says_what_could_not_be_mapped(icd_map: Path) -> None:
    codes = xr.DataArray(["Z99|M81", "", "Z99", None], {"participant": [1, 2, 3, 4]}, "participant")
    found = phecodes(codes, map=icd_map)
    assert found.unmapped.to_dict() == {"Z99": 2}
    assert found.flags.index.tolist() == [1, 2, 3, 4]
    assert found.flags.any(axis=1).tolist() == [True, False, False, False]


def test_phecodes__refuses_another_table(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("icd9,phecodes\n1,2\n")
    with pytest.raises(AnalysisError, match=r"has columns icd9, phecodes; expected ICD10 and PHECODE"):
        phecodes(pd.Series(["M81"]), map=path)


def test_phecodes__may_be_those_of_phecodex(tmp_path: Path) -> None:
    """They begin with letters; a map that isn't there is said to be so."""
    table = tmp_path / "x.csv"
    table.write_text("ICD,phecode\nM80,MS_726.1\nE11,EM_202\n")
    found = phecodes(pd.Series(["M80", "E11"], index=[1, 2]), map=table).flags
    assert found.columns.tolist() == ["EM_202", "MS_726", "MS_726.1"]
    with pytest.raises(AnalysisError, match=r"the map .*none.csv can't be read"):
        phecodes(pd.Series(["M80"]), map=tmp_path / "none.csv")
