"""Simulated people beside the tables of Morris et al. 2024, row by row.

    python benchmarks/simulator.py [--participants 5000] [--seed 1] [--bodies 40]

Means and medians differ by so many of the paper's SDs (from SEM and n, or quartiles); shares, slopes, correlations and
coefficients by so many of its standard errors (from the confidence interval, or n). The printed numbers are in
`morris2024/`. These rows can't match, and why:

- Slopes of Table 4 between regions. With their R² they say that femoral BMFF varies about half as much from person to
  person as the values of the literature that are simulated (total hip: SD 3 rather than 7). The correlations match.
- Adjusted R² of Tables 6-8 for the same reason: the paper's slopes on twice the spread explain more.
- Sex in Models 5.9-5.11. Beside 5.5 it says that total hip BMFF is some 2 points higher in men; the literature says 5.
- Models 5.1-5.3 print no sex, but their R² needs it: they are fitted with it.
- Fat of osteoporotic men: there were 17, and their SEMs let every mean be a third of an SD elsewhere.
- BMI of osteoporotic people: the SEMs of men and women are exchanged (that of women is impossible between 18.5 and
  25 kg m-2), and are exchanged back here.
- T-scores of controls lie up to a third of an SD below the paper's: no normal distribution of density that has the
  sizes of its groups has all of their medians, too.
- Cells damaged in print: legs fat of 5.6 and trunk fat of 5.8 (see their notes).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from bmx.analysis import regress
from bmx.regions import REGIONS
from bmx.simulation.density import bone_group
from bmx.simulation.diagnoses import is_skeletal, split_codes
from bmx.simulation.marrow_fat import BMFF_PERCENT
from bmx.simulation.measured import VOXELS
from bmx.simulation.people import draw_people, person_at

PAPER = Path(__file__).parent / "morris2024"
WITHOUT_SEX = ("5.1", "5.2", "5.3")
EXCHANGED = {"Male": "Female", "Female": "Male"}

SKELETAL = (290, 696)
"""People with a skeletal PheCode among those whose spine was segmented (Table 3)."""

LENGTHS = {"head_width_mm": (47, 3), "hip_to_hip_mm": (178, 8), "hip_to_knee_mm": (406, 23)}
"""Mean and SD: a femoral head is 44 to 50 mm wide; the distances are of 50 people."""


def main() -> None:
    """Draw, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bodies", type=int, default=40, help="of how many the anatomy is measured; 0 for none")
    arguments = parser.parse_args()

    people = draw_people(arguments.participants, arguments.seed)
    people["group"] = [bone_group(person_at(people, index)) for index in range(len(people))]
    print(f"{len(people)} simulated people, seed {arguments.seed}, {(people['sex'] == 'Male').sum()} of them men")
    tables = {
        "Table 1: size of groups, % of a sex": group_sizes(people),
        "Table 1: mean (SD) or median [quartiles]": table_1(people),
        "BMFF by sex, %: mean (SD)": marrow(people),
        "Table 4: correlation of BMFF between regions": table_4(people, "correlation"),
        "Table 4: slopes": table_4(people, "slope"),
        "Tables 5-8: coefficients": tables_5_to_8(people),
        "People with a skeletal diagnosis, %": diagnoses(people),
    }
    if arguments.bodies:
        tables |= anatomy(people.head(arguments.bodies), arguments.seed)
    for title, table in tables.items():
        print(f"\n{title}\n{table.to_string(index=False)}")
    print(f"\nAdjusted R2 of Tables 5-8, ours (paper): {explained(people)}")
    print(f"\n{summary(tables)}")


def group_sizes(people: pd.DataFrame) -> pd.DataFrame:
    """Control, osteopaenic and osteoporotic people by sex."""
    sizes = _paper("table1").drop_duplicates(["sex", "group"])
    rows = []
    for sex, of_sex in sizes.groupby("sex"):
        total = of_sex["n"].sum()
        for group, n in zip(of_sex["group"], of_sex["n"], strict=True):
            ours = (people.loc[people["sex"] == sex, "group"] == group).mean()
            share = n / total
            error = np.sqrt(share * (1 - share) / total)
            rows.append((sex, group, f"{100 * share:.1f}", f"{100 * ours:.1f}", (ours - share) / error))
    return _table(rows, ["sex", "group", "paper", "ours", "SE"])


def table_1(people: pd.DataFrame) -> pd.DataFrame:
    """Age, BMI, T-scores and body fat by sex and bone group."""
    paper = _paper("table1").set_index(["variable", "sex", "group"], drop=False)
    rows = []
    for row in paper.itertuples():
        ours = people.loc[(people["sex"] == row.sex) & (people["group"] == row.group), str(row.variable)]
        if row.statistic == "median":
            sd = (row.q3 - row.q1) / 1.349
            low, centre, high = ours.quantile([0.25, 0.5, 0.75])
            texts = f"{row.centre:.4g} [{row.q1:.3g}, {row.q3:.3g}]", f"{centre:.4g} [{low:.3g}, {high:.3g}]"
        else:
            exchanged = row.variable == "bmi" and row.group == "osteoporotic"
            sem = paper.loc[("bmi", EXCHANGED[row.sex], row.group), "sem"] if exchanged else row.sem
            sd, centre = sem * np.sqrt(row.n), ours.mean()
            texts = f"{row.centre:.4g} ({sd:.3g})", f"{centre:.4g} ({ours.std():.3g})"
        rows.append((row.variable, row.sex, row.group, *texts, (centre - row.centre) / sd))
    return _table(rows, ["variable", "sex", "group", "paper", "ours", "SD"])


def marrow(people: pd.DataFrame) -> pd.DataFrame:
    """BMFF by sex and region beside the values of the literature; the paper prints none."""
    rows = []
    for sex, regions in BMFF_PERCENT.items():
        for region, (mean, sd) in regions.items():
            ours = people.loc[people["sex"] == sex, f"bmff_{region}"]
            texts = f"{mean} ({sd})", f"{ours.mean():.1f} ({ours.std():.1f})"
            rows.append((sex, region, *texts, (ours.mean() - mean) / sd))
    return _table(rows, ["sex", "region", "literature", "ours", "SD"])


def table_4(people: pd.DataFrame, what: str) -> pd.DataFrame:
    """BMFF of one region against another, in both sexes or one."""
    rows = []
    for row in _paper("table4").itertuples():
        some = people if row.sex == "Both" else people[people["sex"] == row.sex]
        if what == "slope":
            fit = regress(some, f"{row.outcome} ~ {row.exposure}")
            ours = fit.terms.set_index("term").loc[row.exposure, "estimate"]
            error = (row.conf_high - row.conf_low) / 3.92
            texts, off = (f"{row.estimate:.3f}", f"{ours:.3f}"), (ours - row.estimate) / error
        else:
            r2 = row.adj_r2 + (1 - row.adj_r2) / (row.n - 1)
            ours = some[row.exposure].corr(some[row.outcome])
            texts = f"{np.sqrt(r2):.3f}", f"{ours:.3f}"
            off = (np.arctanh(ours) - np.arctanh(np.sqrt(r2))) * np.sqrt(row.n - 3)
        rows.append((row.exposure[5:], row.outcome[5:], row.sex, *texts, off))
    return _table(rows, ["exposure", "outcome", "sex", "paper", "ours", "SE"])


def tables_5_to_8(people: pd.DataFrame) -> pd.DataFrame:
    """Every coefficient of every model of bone density."""
    rows = []
    for model, paper in _paper("tables5-8").groupby("model", sort=False):
        terms = regress(people, _formula(str(model), paper)).terms.set_index("term")
        for row in paper.itertuples():
            ours = float(terms.loc[str(row.term), "estimate"])
            error = (row.conf_high - row.conf_low) / 3.92
            texts = f"{row.estimate:.4f} ({row.conf_low}, {row.conf_high})", f"{ours:.4f}"
            rows.append((model, row.outcome[4:], row.term, *texts, (ours - row.estimate) / error))
    return _table(rows, ["model", "bmd", "term", "paper", "ours", "SE"])


def explained(people: pd.DataFrame) -> str:
    """Adjusted R² of every model."""
    return ", ".join(
        f"{model} {regress(people, _formula(str(model), paper)).summary.adj_r2:.2f} ({paper['adj_r2'].iloc[0]:.2f})"
        for model, paper in _paper("tables5-8").groupby("model", sort=False)
    )


def diagnoses(people: pd.DataFrame) -> pd.DataFrame:
    """Share of people with an ICD-10 code of the skeleton or its marrow."""
    ours = np.mean([any(map(is_skeletal, split_codes(codes))) for codes in people["icd10"]])
    share = SKELETAL[0] / SKELETAL[1]
    off = (ours - share) / np.sqrt(share * (1 - share) / SKELETAL[1])
    return _table([(f"{100 * share:.1f}", f"{100 * ours:.1f}", off)], ["paper", "ours", "SE"])


def anatomy(people: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Volumes and lengths of bodies, and how volumes go with height and sex."""
    from bmx.simulation.sizes import body_sizes

    sizes = [body_sizes(person_at(people, index), seed) for index in range(len(people))]
    bodies = people[["eid", "sex", "height"]].reset_index(drop=True)
    for region in REGIONS:
        bodies[region] = [size.voxels[region] for size in sizes]
    for name in LENGTHS:
        bodies[name] = [getattr(size, name) for size in sizes]
    rows = [
        (name, f"{mean} ({sd})", f"{bodies[name].mean():.0f} ({bodies[name].std():.0f})",
         (bodies[name].mean() - mean) / sd)
        for name, (mean, sd) in (VOXELS | LENGTHS).items()
    ]  # fmt: skip
    trends = []
    means = bodies.groupby("sex")[list(REGIONS)].mean()
    for region in REGIONS:
        together = regress(bodies, f"{region} ~ height").terms.set_index("term").loc["height"]
        apart = regress(bodies, f"{region} ~ height*sex").terms.set_index("term")
        interaction = apart.loc[[term for term in apart.index if ":" in term], "p_value"].iloc[0]
        slope, p = f"{together['estimate']:.1f}", f"{together['p_value']:.1g}"
        trends.append(
            (region, slope, p, f"{interaction:.2f}", f"{means.loc['Male', region] / means.loc['Female', region]:.2f}")
        )
    return {
        "Anatomy: voxels of the masks, and lengths, mean (SD)": _table(rows, ["what", "paper", "ours", "SD"]),
        "Voxels by height (paper: more, p < 0.05; the same slope in both sexes, p > 0.6; men larger)": pd.DataFrame(
            trends, columns=["region", "voxels per cm", "p", "p height*sex", "men / women"]
        ),
    }


def summary(tables: dict[str, pd.DataFrame]) -> str:
    """How many rows are near, and which is farthest, in one line."""
    parts = []
    for unit, near in (("SD", 0.5), ("SE", 2.0)):
        rows = pd.concat(
            [
                pd.DataFrame({"off": table[unit].abs(), "row": table.iloc[:, :-3].astype(str).agg(" ".join, axis=1)})
                for table in tables.values()
                if unit in table
            ],
            ignore_index=True,
        )
        worst = rows.loc[rows["off"].idxmax()]
        parts.append(
            f"{(rows['off'] <= near).sum()} of {len(rows)} rows within {near:g} {unit} "
            f"(worst: {worst['row']}, {worst['off']:.1f})"
        )
    return "; ".join(parts)


def _formula(model: str, paper: pd.DataFrame) -> str:
    terms = [str(term).removesuffix("[Male]") for term in paper["term"]]
    return f"{paper['outcome'].iloc[0]} ~ {' + '.join([*terms, *(['sex'] if model in WITHOUT_SEX else [])])}"


def _paper(name: str) -> pd.DataFrame:
    return pd.read_csv(PAPER / f"{name}.csv", dtype={"model": str})


def _table(rows: list[tuple[object, ...]], columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(**{columns[-1]: table[columns[-1]].astype(float).round(2)})


if __name__ == "__main__":
    main()
