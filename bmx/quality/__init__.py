"""Which measurements can be used, why the others can't, and whom that leaves out (paper 2.6, 3.2 and Table 3).

| file | what it knows |
|---|---|
| `limits` | the numbers that decide, each with where it comes from |
| `reference` | mean and SD of volumes and centres of mass to judge by |
| `evidence` | what the store says of each region's slab |
| `flagging` | the verb `flag`: bits, outcome, cause, reason |
| `causes` | the cause of each failure, in the columns of Table 3 |
| `tables` | outcomes and Table 3, counted |
| `missing` | who has no value: `missingness` |
"""

from __future__ import annotations

from bmx.quality.flagging import flag, passed
from bmx.quality.limits import Limits
from bmx.quality.missing import missingness
from bmx.quality.reference import reference_of
from bmx.quality.tables import counts, table3

__all__ = ["Limits", "counts", "flag", "missingness", "passed", "reference_of", "table3"]
