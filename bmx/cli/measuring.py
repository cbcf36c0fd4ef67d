"""Commands from a store to a regression."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bmx.cli.app import Workers, app

if TYPE_CHECKING:
    import xarray as xr


@app.command()
def run(
    store: Annotated[str, typer.Argument(help="A store from bmx convert.")],
    results: Annotated[str, typer.Argument(help="Where the results go, something.zarr.")],
    models: Annotated[
        str, typer.Option(help='A folder of models; "simulated" or "simulated_fat" for those that ship.')
    ],
    regions: Annotated[
        str | None, typer.Option(help="For example spine,total_hip; by default all whose slab is in the store.")
    ] = None,
    side: Annotated[
        Literal["left", "right", "both"], typer.Option(help="Of the femora: left as in the paper, right or both.")
    ] = "left",
    recipe: Annotated[
        str, typer.Option(help="How fat fraction is computed: mask_aware, paper, released_code or none.")
    ] = "mask_aware",
    neighbours: Annotated[
        bool, typer.Option(help="Look for a region in the slabs beside its own where it leaves that.")
    ] = True,
    swaps: Annotated[
        bool, typer.Option(help="Find where fat and water are exchanged, and measure them exchanged back.")
    ] = True,
    allow_simulated: Annotated[
        bool, typer.Option("--allow-simulated", help="Use models trained on simulation on images of people.")
    ] = False,
    beside: Annotated[
        bool, typer.Option("--beside", help="If RESULTS was made with other models or options, write beside it.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try them again who failed because a model raised or a worker died or hung.")
    ] = False,
    workers: Workers = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds that one partition may take; a worker that hangs is replaced.")
    ] = None,
) -> None:
    """Segment and measure everyone in a store. Call it again to go on after an interruption.

    Example: bmx run ukbb.zarr results.zarr --models models/
    """
    from bmx import quality
    from bmx.cohort.run import run as verb

    wanted = [name.strip() for name in regions.split(",")] if regions is not None else None
    measured = verb(
        store, results, models=models, regions=wanted, side=side, recipe=recipe, neighbours=neighbours, swaps=swaps,
        allow_simulated=allow_simulated, beside=beside, retry=retry, workers=workers, timeout=timeout,
    )  # fmt: skip
    typer.echo(quality.counts(quality.flag(measured)).to_string())


Phenotypes = Annotated[Path, typer.Argument(help="A UK Biobank table with an eid column: csv, tsv, gz or Parquet.")]
Instance = Annotated[
    list[int] | None,
    typer.Option(help="Imaging visit of the phenotypes, by default that of the images; may be repeated."),
]
OwnFields = Annotated[Path | None, typer.Option(help="A file of further fields, in the form of bmx's fields.toml.")]
WithdrawnList = Annotated[Path | None, typer.Option("--withdrawn", help="EIDs to leave out, as UK Biobank sends them.")]
BySex = Annotated[bool, typer.Option("--by-sex", help="Judge women among women and men among men.")]


@app.command()
def regress(
    results: Annotated[str, typer.Argument(help="Results from bmx run.")],
    phenotypes: Phenotypes,
    formula: Annotated[str, typer.Argument(help='For example "bmd_spine ~ bmff_spine + sex + bmi".')],
    instance: Instance = None,
    family: Annotated[
        Literal["gaussian", "binomial"], typer.Option(help="Linear, or logistic for 0 and 1.")
    ] = "gaussian",
    vcov: Annotated[
        Literal["classical", "HC0", "HC1", "HC2", "HC3", "cluster"], typer.Option(help="Covariance of the estimates.")
    ] = "classical",
    cluster: Annotated[str | None, typer.Option(help="For --vcov cluster: the column of clusters.")] = None,
    own_fields: OwnFields = None,
    withdrawn: WithdrawnList = None,
    by_sex: BySex = False,
    out: Annotated[
        list[Path] | None,
        typer.Option(help="Also write the fit here: .csv, .html, .tex, or a forest plot .png, .svg, .pdf."),
    ] = None,
) -> None:
    """Fit a linear or logistic model to results joined with phenotypes.

    Example: bmx regress results.zarr dxa.csv "bmd_spine ~ bmff_spine + sex + bmi"

    bmx regress results.zarr dxa.csv "bmd_spine ~ bmff_spine + sex" --vcov HC3 --out fit.html --out forest.png
    """
    from bmx.analysis import regress as verb

    writers = {".csv": "to_csv", ".html": "to_html", ".tex": "to_latex"}
    figures = (".png", ".svg", ".pdf")
    if wrong := [str(path) for path in out or [] if path.suffix not in (*writers, *figures)]:
        raise typer.BadParameter(f"{wrong[0]}: expected one of {', '.join((*writers, *figures))}", param_hint="--out")
    cohort = _cohort(results, phenotypes, instance, own_fields, withdrawn, by_sex=by_sex)
    fit = verb(cohort, formula, family=family, vcov=vcov, cluster=cluster)
    typer.echo(str(fit))
    for path in out or []:
        if path.suffix in figures:
            fit.plot.forest().savefig(path)
        else:
            getattr(fit, writers[path.suffix])(path)


@app.command()
def reproduce(
    results: Annotated[str, typer.Argument(help="Results from bmx run.")],
    phenotypes: Phenotypes,
    folder: Annotated[Path, typer.Argument(help="Where the tables and figures go.")],
    instance: Instance = None,
    own_fields: OwnFields = None,
    withdrawn: WithdrawnList = None,
    by_sex: BySex = False,
    phecode_map: Annotated[Path | None, typer.Option(help="Table of ICD-10 and PheCodes, for Table 3.")] = None,
) -> None:
    """Write the tables and figures of Morris et al. 2024 for your cohort, on one page.

    Example: bmx reproduce results.zarr dxa.csv tables/
    """
    from bmx.reproduction import reproduce as verb

    cohort = _cohort(results, phenotypes, instance, own_fields, withdrawn, by_sex=by_sex)
    typer.echo(str(verb(cohort, folder, phecode_map=phecode_map)))


def _cohort(
    results: str, phenotypes: Path, instance: list[int] | None, own: Path | None, gone: Path | None, *, by_sex: bool
) -> xr.Dataset:
    """Results judged and joined."""
    from bmx import quality
    from bmx.phenotypes.join import join
    from bmx.phenotypes.read import read_phenotypes
    from bmx.store.results import open_results

    measured = open_results(results)
    visits = instance or [int(measured.attrs.get("ukb_instance", 2))]
    table = read_phenotypes(phenotypes, instance=visits, own_fields=own, withdrawn=gone or ())
    if by_sex:
        return quality.flag(join(measured, table), by="sex")
    # The whole cohort tells what is small, not only who has phenotypes.
    return join(quality.flag(measured), table)
