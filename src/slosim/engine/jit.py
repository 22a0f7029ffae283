"""How the engine's functions are compiled.

`leaf` functions are forced inline: the hot path is one machine-code function made of small readable ones. `rule`
functions are plain calls, for what is rare. Only `entry` functions are called from Python and cached on disk.
"""

from __future__ import annotations

import numba

leaf = numba.njit(forceinline=True, error_model="numpy", nogil=True)
rule = numba.njit(error_model="numpy", nogil=True)
entry = numba.njit(error_model="numpy", nogil=True, cache=True)
