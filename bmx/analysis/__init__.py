"""Associations of bone marrow fat fraction with bone density and body composition.

The statistics of Morris et al. 2024: section 2.9 (methods) and the regressions of Tables 5-8 (multivariable), whose
numbers come from R. Where a Python library differs from R, bmx gives R's number and says so.

`regress` fits one linear or logistic model and gives a `Regression`; `compare` puts several beside each other;
`associate` fits thousands (Table 4, Supplementary 1-5, and whole phenomes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bmx._lazy import resolver

if TYPE_CHECKING:
    from bmx.analysis.association_result import Associations
    from bmx.analysis.associations import associate
    from bmx.analysis.comparison import compare
    from bmx.analysis.comparison_result import Comparison
    from bmx.analysis.contrasts import contrasts
    from bmx.analysis.mixed import mixed
    from bmx.analysis.multiplicity import adjust
    from bmx.analysis.regression import regress
    from bmx.analysis.result import Regression

__all__ = [
    "Associations",
    "Comparison",
    "Regression",
    "adjust",
    "associate",
    "compare",
    "contrasts",
    "mixed",
    "regress",
]

_PLACES = {
    "Associations": "bmx.analysis.association_result",
    "Comparison": "bmx.analysis.comparison_result",
    "Regression": "bmx.analysis.result",
    "adjust": "bmx.analysis.multiplicity",
    "associate": "bmx.analysis.associations",
    "compare": "bmx.analysis.comparison",
    "contrasts": "bmx.analysis.contrasts",
    "mixed": "bmx.analysis.mixed",
    "regress": "bmx.analysis.regression",
}

__getattr__ = resolver(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__
