"""How often faults occur: those that the paper's Table 3 lets one count, per participant."""

from __future__ import annotations

PEOPLE = 729
"""Participants of the paper's validation cohort."""

PAPER: dict[str, float] = {
    # Data structure: 30 spines, 18 heads, 21 hips, 23 shafts, 92 in all. A shift of the numbers loses all four
    # regions, a wrong image in one of six slabs 4/6 of a region on average: 4 x 20 + 4/6 x 18 = 92.
    "appended_repeat": 14 / PEOPLE,
    "shifted_series_numbers": 6 / PEOPLE,
    "water_in_fat_slot": 18 / PEOPLE,
    # Imaging artefact at the shaft: 14, all of them swaps of the left leg in slab 5. Half of all swaps are on
    # the right, where the paper did not look, and a fifth in slab 6.
    "swap_leg": 14 * 2 / 0.8 / PEOPLE,
    # Imaging artefact at the left head: 15, at the hip 2 of them; mostly dark lines, here on either side.
    "dark_lines": 15 * 2 / PEOPLE,
    # Partly or fully outside: 27 heads, 11 hips, 16 shafts, no spine. Of exams that begin 20 to 120 mm too low,
    # 63 % lose part of the head, 40 % of the hip, 42 % of the shaft; of those too high 18, 63 and 17 %. A third
    # loses nothing.
    "begun_too_low": 36 / PEOPLE,
    "begun_too_high": 2 / PEOPLE,
    # Skeletal abnormality: one severe scoliosis, one depletion by a lymphoma; "several" milder scolioses did no harm.
    "severe_scoliosis": 1 / PEOPLE,
    "marrow_depletion": 1 / PEOPLE,
    "mild_scoliosis": 5 / PEOPLE,
}
"""Expected share of participants with each fault. The faults that are not here did not occur in Table 3."""
