"""The whole journey on simulated participants, with what it cost and how near the truth it came."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from bmx import evaluation, quality
from bmx.analysis import Regression, regress
from bmx.cohort.run import run
from bmx.ingest.conversion import convert
from bmx.partitions.cluster import dask_client
from bmx.phenotypes.join import join
from bmx.phenotypes.read import read_phenotypes
from bmx.plot.journey import journey
from bmx.simulation.cohorts import DIXON, simulate
from bmx.simulation.density import DENSITY_MODELS
from bmx.simulation.phenotypes import PHENOTYPES
from bmx.simulation.truth import open_truth
from bmx.store.reading import open_store
from bmx.store.results import masks_beside, open_masks

SLABS = (2, 4, 5)
"""The slabs that hold the four regions."""

FORMULA = "bmd_spine ~ bmff_spine + sex + bmi"


def demo(out: Path, *, participants: int, seed: int, workers: int, echo: Callable[[str], None]) -> Path:
    """Simulate, convert, run, join and regress; print the figures and draw one picture.

    Returns
    -------
    Path of the picture.
    """
    clock = _Clock()
    store, results_url = str(out / "slabs.zarr"), str(out / "results.zarr")
    with clock.measure("start workers"), dask_client(workers=workers) as client:
        with clock.measure("simulate"):
            simulate(out, participants=participants, seed=seed, slabs=SLABS, client=client)
        with clock.measure("convert"):
            convert(str(out / DIXON), store, slabs=SLABS, client=client)
        with clock.measure("run"):
            results = run(store, results_url, models="simulated", client=client)
    with clock.measure("qc, join, regress"):
        flagged = quality.flag(results).compute()
        cohort = join(flagged, read_phenotypes(out / PHENOTYPES, instance=2))
        fit = regress(cohort, FORMULA)
    with clock.measure("picture"):
        truth = open_truth(out)["results"].to_dataset()
        picture = out / "demo.png"
        figure = journey(open_store(store), open_masks(masks_beside(results_url)), flagged, truth)
        figure.savefig(picture, dpi=150)

    echo("\nBMFF against truth, percentage points")
    echo(evaluation.compare_to_truth(flagged, truth).round(2).to_string())
    echo("\nQC outcome, participants")
    echo(quality.counts(flagged).to_string())
    echo(f"\n{fit}")
    echo(f"\nThe coefficients that made the data, beside what was found (n = {len(fit.sample)}: wide intervals)")
    echo(made_and_found(fit).to_string(index=False))
    echo("\nWhere the time went")
    echo(clock.table().to_string(index=False))
    echo(f"\nPicture: {picture}\nThe images are simulated: none of these figures says how bmx does on people.")
    return picture


def made_and_found(fit: Regression) -> pd.DataFrame:
    """The coefficients that the simulator used for spine BMD beside the fitted ones."""
    model = DENSITY_MODELS["bmd_spine"]
    made = {"bmff_spine": model.bmff, "sex[Male]": model.male, "bmi": model.bmi}
    terms = fit.terms.set_index("term").loc[list(made)]
    inside = [low <= made[term] <= high for term, low, high in terms[["conf_low", "conf_high"]].itertuples()]
    return pd.DataFrame(
        {
            "term": list(made),
            "made with": list(made.values()),
            "estimate": terms["estimate"].round(4).to_numpy(),
            "95% CI": [f"{low:.4f} to {high:.4f}" for _, low, high in terms[["conf_low", "conf_high"]].itertuples()],
            "inside": ["yes" if one else "no" for one in inside],
        }
    )


class _Clock:
    """Seconds spent in each part; a part that holds others counts only what is left."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[part] = spent - self._inner.pop()
            self._inner[-1] += spent

    def table(self) -> pd.DataFrame:
        total = sum(self.seconds.values())
        rows = [*self.seconds.items(), ("total", total)]
        return pd.DataFrame(
            {
                "part": [part for part, _ in rows],
                "seconds": [round(seconds, 1) for _, seconds in rows],
                "%": [round(100 * seconds / total) for _, seconds in rows],
            }
        )
