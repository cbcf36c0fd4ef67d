from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bmx
from bmx.errors import BmxError
from bmx.ingest.beginning import Asked
from bmx.segmentation.choice import choose_regions
from tests.cohorts import make_store
from tests.conftest import make_toy_cohort
from tests.plot.images import EIDS, whole_body
from tests.quality.made import cohort

TABLE = pd.DataFrame({"eid": [1000001], "p31": [1]})
FORMULA = "bmd_spine ~ bmff_spine"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bmx.join("results.zarr", cohort()), "results are no Dataset, but 'results.zarr', a str; open results"),
        (lambda: bmx.join(cohort(), TABLE), "phenotypes are no Dataset, but a DataFrame; open results with"),
        (lambda: bmx.read_phenotypes(TABLE), "expected the path of a table of phenotypes, found a DataFrame; give"),
        (lambda: bmx.qc.flag(TABLE), "expected a Dataset or DataTree, found a DataFrame; open results with"),
        (lambda: bmx.analysis.regress(FORMULA, cohort()), "expected a formula, found a Dataset; first the data"),
        (lambda: bmx.analysis.mixed(FORMULA, cohort()), "expected a formula, found a Dataset; first the data"),
        (lambda: bmx.analysis.regress("r.zarr", FORMULA), "expected a Dataset or DataFrame, found 'r.zarr', a str; fi"),
    ],
)  # fmt: skip
def test_mistakes__are_named_without_showing_anybody(call: Callable[[], object], message: str) -> None:
    """What is no table, or comes in the wrong order, is told by its kind: its contents may be participants."""
    with pytest.raises(BmxError, match=message) as refused:
        call()
    assert "1000001" not in str(refused.value)


def test_missingness__takes_one_grouping() -> None:
    """Text is a sequence, too, of letters."""
    judged = bmx.qc.flag(cohort())
    judged["sex"] = ("participant", np.array(["Female", "Male"] * 30, object))
    pd.testing.assert_frame_equal(bmx.qc.missingness(judged, by="sex"), bmx.qc.missingness(judged, by=["sex"]))


def test_regions__may_be_one() -> None:
    """As one would say it."""
    slabs, _ = make_toy_cohort()
    assert choose_regions(slabs, "spine") == ["spine"]
    assert list(bmx.load_models("simulated", regions="spine")) == ["spine"]


def test_convert__takes_one_slab_and_contrast() -> None:
    """`slabs=4` is no more doubtful than `slabs=[4]`."""
    assert Asked.of(4, "fat", None, None) == Asked.of([4], ["fat"], None, None)


def test_read_phenotypes__takes_one_field(tmp_path: Path) -> None:
    """By its number, as by its name."""
    TABLE.to_csv(tmp_path / "dxa.csv", index=False)
    assert list(bmx.read_phenotypes(tmp_path / "dxa.csv", fields=31).data_vars) == ["sex"]


def test_mosaic__takes_an_eid_as_text() -> None:
    """As it is copied from a table or a file name."""
    slabs, masks = whole_body()
    assert any(str(EIDS[1]) in text.get_text() for text in bmx.plot.mosaic(slabs, masks, str(EIDS[1])).texts)


@pytest.mark.parametrize("as_list", [False, True])
def test_withdraw__takes_a_list_of_uk_biobank_or_one_eid(tmp_path: Path, threads: object, as_list: bool) -> None:
    """The command line takes the file; so does the function."""
    store = make_store(tmp_path, (1000001, 1000002), slabs=(2,), client=threads)
    listed = tmp_path / "w12345.csv"
    listed.write_text("1000002\n")
    done = bmx.withdraw(store, str(listed) if as_list else 1000002)
    assert (done.asked, done.erased) == (1, 1)
    assert bmx.open_store(store)["participant"].to_numpy().tolist()[0] == 1000001
