from __future__ import annotations

import numpy as np
import pytest

from bmx.core.preparation import prepare


def test_prepare__refuses_a_contrast_that_it_doesn_t_know() -> None:
    """Anything else would be taken for fat."""
    slab = np.full((3, 24, 24), 500, np.uint16)
    with pytest.raises(ValueError, match=r"no network input is called 'fat\+watr'; .* \(did you mean fat\+water\?\)"):
        prepare(slab, slab, "fat+watr")  # type: ignore[arg-type]
