"""Associations of bone marrow fat fraction with bone density and body composition.

The statistics of Morris et al. 2024: section 2.9 (methods) and the regressions of Tables 5-8 (multivariable), whose
numbers come from R. Where a Python library differs from R, bmx gives R's number and says so.

`regress` fits one linear or logistic model and gives a `Regression`; `compare` puts several beside each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bmx.analysis.comparison import compare
    from bmx.analysis.comparison_result import Comparison
    from bmx.analysis.multiplicity import adjust
    from bmx.analysis.regression import regress
    from bmx.analysis.result import Regression

__all__ = ["Comparison", "Regression", "adjust", "compare", "regress"]

_PLACES = {
    "Comparison": "bmx.analysis.comparison_result",
    "Regression": "bmx.analysis.result",
    "adjust": "bmx.analysis.multiplicity",
    "compare": "bmx.analysis.comparison",
    "regress": "bmx.analysis.regression",
}


def __getattr__(name: str) -> object:
    """Load a public name on its first use: formulaic and scipy take a second that `import bmx` must not."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
