"""Associations of bone marrow fat fraction with bone density and body composition.

The statistics of Morris et al. 2024: section 2.9 (methods) and the regressions of Tables 5-8 (multivariable), whose
numbers come from R. Where a Python library differs from R, bmx gives R's number and says so.

`regress` fits one linear or logistic model and gives a `Regression`; `compare` puts several beside each other;
`associate` fits thousands (Table 4, Supplementary 1-5, and whole phenomes); `mixed` fits all regions of everybody at
once, and `contrasts` compares the groups of any fit. `describe` and `compare_groups` make Table 1 and Fig. 5;
`bone_groups` and `select_cohort` say who is who; `phecodes` and `enrichment` ask what those have who failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bmx._lazy import resolver

if TYPE_CHECKING:
    from bmx.analysis.association_result import Associations
    from bmx.analysis.associations import associate
    from bmx.analysis.code_enrichment import enrichment
    from bmx.analysis.comparison import compare
    from bmx.analysis.comparison_result import Comparison
    from bmx.analysis.descriptives import Table, describe
    from bmx.analysis.diagnoses import PheCodes, phecodes
    from bmx.analysis.group_contrasts import contrasts
    from bmx.analysis.groups import GroupComparison, compare_groups
    from bmx.analysis.mixed_models import mixed
    from bmx.analysis.multiplicity import adjust
    from bmx.analysis.regression import regress
    from bmx.analysis.result import Regression
    from bmx.analysis.selection import Selection, bone_groups, select_cohort

__all__ = [
    "Associations", "Comparison", "GroupComparison", "PheCodes", "Regression", "Selection", "Table", "adjust",
    "associate", "bone_groups", "compare", "compare_groups", "contrasts", "describe", "enrichment", "mixed",
    "phecodes", "regress", "select_cohort",
]  # fmt: skip

_PLACES = {
    "Associations": "bmx.analysis.association_result",
    "Comparison": "bmx.analysis.comparison_result",
    "GroupComparison": "bmx.analysis.groups",
    "PheCodes": "bmx.analysis.diagnoses",
    "Regression": "bmx.analysis.result",
    "Selection": "bmx.analysis.selection",
    "Table": "bmx.analysis.descriptives",
    "adjust": "bmx.analysis.multiplicity",
    "associate": "bmx.analysis.associations",
    "bone_groups": "bmx.analysis.selection",
    "compare": "bmx.analysis.comparison",
    "compare_groups": "bmx.analysis.groups",
    "contrasts": "bmx.analysis.group_contrasts",
    "describe": "bmx.analysis.descriptives",
    "enrichment": "bmx.analysis.code_enrichment",
    "mixed": "bmx.analysis.mixed_models",
    "phecodes": "bmx.analysis.diagnoses",
    "regress": "bmx.analysis.regression",
    "select_cohort": "bmx.analysis.selection",
}

__getattr__ = resolver(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__
