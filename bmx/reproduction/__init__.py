"""The tables and figures of Morris et al. 2024, made of any cohort.

Each module makes what one kind of page needs: `tables`, `models` (Tables 5-8), `figures`; `report` writes all of it.
"""

from bmx.reproduction.report import reproduce

__all__ = ["reproduce"]
