"""How many threads the native libraries may use."""

from __future__ import annotations

import os

_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def limit_native_threads(count: int) -> None:
    """Limit linear algebra to `count` threads, unless the user's environment says otherwise.

    Effective only before numpy is first imported. The fit's matrices are narrow: more threads mostly wait for each
    other there, and take the processor from decoding and from the landmark network.
    """
    for name in _VARIABLES:
        os.environ.setdefault(name, str(count))
