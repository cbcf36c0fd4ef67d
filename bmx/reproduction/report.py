"""`reproduce`: every table and figure of the paper that a cohort can fill, as files and on one page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache, partial
from html import escape
from pathlib import Path

import xarray as xr

from bmx.analysis import bone_groups, compare_groups, phecodes
from bmx.analysis.diagnoses import is_skeletal
from bmx.analysis.text_table import TextTable
from bmx.errors import AnalysisError, SchemaError
from bmx.plot.volumes import violins
from bmx.reproduction import figures, tables
from bmx.reproduction.models import MODELS, bone_density
from bmx.reproduction.tables import BONE

logger = logging.getLogger(__name__)

NEEDED = ("sex", "height", *tables.CHARACTERISTICS, *tables.SITES)
_STYLE = (
    "body{font:14px sans-serif;max-width:70em;margin:2em auto;color:#222}table{border-collapse:collapse}"
    "td,th{padding:.15em .7em;text-align:left;border-bottom:1px solid #ddd}img{max-width:100%}"
)


def reproduce(cohort: xr.Dataset, folder: str | Path, *, phecode_map: str | Path | None = None) -> Path:
    """Write Tables 1 and 3-8, Supplementary Tables 1-5 and Figs. 4A, 4C, 5A-D of Morris et al. 2024 for a cohort.

    Each table becomes a CSV and an HTML file, each figure a PNG and an SVG, and `index.html` shows them all. What
    differs from the paper, and why: models are compared on the rows that all of them have, Models 5.1-5.3 have sex, and
    causes of failure are inferred, not seen. Computes.

    Parameters
    ----------
    cohort : of `bmx.join`, results judged by `bmx.qc.flag` with phenotypes: sex, height, age, BMI, DXA
    folder : made if it isn't there; files of these names are written over
    phecode_map : table of ICD-10 and PheCodes; with it, and `icd10` in the cohort, Table 3 counts who has a
        musculoskeletal PheCode (710 to 746, 754 to 756, or MS_ of PheCodeX)

    Returns
    -------
    path of `index.html`

    Raises
    ------
    SchemaError
        If the results aren't judged, or phenotypes are missing: all of them, by name.
    """
    if "qc_outcome" not in cohort:
        raise SchemaError("the results have no qc_outcome yet; judge them with bmx.qc.flag before bmx.join")
    if missing := [name for name in NEEDED if name not in cohort]:
        raise SchemaError(
            f"the cohort has no {', '.join(missing)}; the tables of the paper need them: join what bmx.read_phenotypes "
            "gives of a table with these fields (bmx fields)"
        )
    here = cohort.compute()
    here = here.assign({BONE: bone_groups(here)})
    ill = None
    if phecode_map is not None:
        if "icd10" not in here:
            raise SchemaError("the cohort has no icd10, which a PheCode map is for; join phenotypes with field 41270")
        flags = phecodes(here["icd10"], map=phecode_map).flags
        flags = flags[[code for code in flags if is_skeletal(str(code))]]
        ill = xr.DataArray(flags.any(axis=1).to_numpy(), {"participant": flags.index.to_numpy()}, "participant")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    parts: list[str] = []
    for name, made in _contents(here, ill):
        try:
            parts.append(_write(place, name, made()))
        except AnalysisError as exc:
            # A cohort that is too small for one table is large enough for the others.
            logger.warning("%s can't be made of this cohort: %s", name, exc)
            parts.append(f"<h2>{escape(name)}</h2><p>It can't be made of this cohort: {escape(str(exc))}</p>")
    kind = "simulated participants" if here.attrs.get("simulated") else "participants"
    heading = f"Tables and figures of Morris et al. 2024, of {here.sizes['participant']:,} {kind}"
    page = f"<!doctype html><meta charset='utf-8'><title>{heading}</title><style>{_STYLE}</style><h1>{heading}</h1>"
    index = place / "index.html"
    index.write_text(page + "\n".join(parts), encoding="utf-8")
    return index


def _contents(cohort: xr.Dataset, ill: xr.DataArray | None) -> Iterator[tuple[str, Callable[[], object]]]:
    """Everything in the paper's order, made when it is asked for."""
    yield "Table 1", lambda: tables.characteristics(cohort)
    yield "Table 1 tests", lambda: tables.characteristics_tests(cohort)
    yield "Table 3", lambda: tables.outputs(cohort, ill)
    yield "Fig 4A", lambda: violins(cohort)
    yield "Fig 4A regression", lambda: tables.volume_by_height(cohort)
    heights = cache(partial(tables.failure_by_height, cohort))
    controls = cache(partial(tables.model_of_controls, cohort))
    yield "Fig 4C", lambda: figures.odds_by_height(heights()[1])
    yield "Fig 4C regression", lambda: heights()[0]
    yield "Fig 5A", lambda: figures.regions_and_sex(cohort, controls())
    yield "Fig 5A model", lambda: tables.terms_of_controls(controls())
    yield "Fig 5A sexes", lambda: tables.contrasts_of_controls(controls(), "sex", by="region")
    yield "Fig 5A regions", lambda: tables.contrasts_of_controls(controls(), "region")
    yield "Fig 5A cells", lambda: tables.contrasts_of_controls(controls(), ["region", "sex"])
    for region in map(str, cohort.indexes["region"]):
        yield (
            f"Fig 5B-D {region}",
            lambda region=region: compare_groups(  # type: ignore[misc]  # bound at once
                cohort, f"bmff_{region}", BONE, within="sex", against="control"
            ).plot(),
        )
    yield "Table 4", lambda: tables.between_regions(cohort)
    for name in MODELS:
        yield name, partial(bone_density, cohort, name)
    for number in range(1, len(tables.SITES) + 2):
        yield f"Supplementary Table {number}", partial(tables.supplement, cohort, number)


def _write(folder: Path, name: str, made: object) -> str:
    """Write one table or figure; give its part of the page."""
    from matplotlib.figure import Figure

    stem = name.lower().replace(" ", "_")
    if isinstance(made, Figure):
        made.savefig(folder / f"{stem}.png", dpi=150)
        made.savefig(folder / f"{stem}.svg")
        return f"<h2>{escape(name)}</h2><img src='{stem}.png' alt='{escape(name)}'>"
    if isinstance(made, TextTable):
        made.cells.to_csv(folder / f"{stem}.csv", index=False)
    else:
        made.to_csv(folder / f"{stem}.csv")  # type: ignore[attr-defined]  # a Comparison, which keeps every digit
    html = made.to_html(folder / f"{stem}.html")  # type: ignore[attr-defined]  # as above
    return f"<h2>{escape(name)}</h2>{html}"
