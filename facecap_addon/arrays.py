"""Short names for arrays of one number type; what an array holds, its shape and its unit stand in docstrings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
U64 = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]
Arrays = dict[str, NDArray[Any]]
"""Arrays of a file by their names, of whatever type each."""
