"""SciPy's BLAS, for compiled functions to call.

JAX brings SciPy along, and its OpenBLAS multiplies float32 matrices of a transformer's shapes 15 to
45 % faster than XLA's CPU backend does (132 ms of processor time against 184 for [4096, 768] by
[768, 3072] on a Sapphire Rapids core), whichever side is a transpose.
"""

from __future__ import annotations

import ctypes
import functools

THREADS = ("scipy_openblas_set_num_threads", "openblas_set_num_threads")
"""What OpenBLAS calls the function that says how many threads it may use."""


@functools.cache
def sgemm() -> int | None:
    """The address of sgemm in a BLAS that keeps to its caller's thread; None: there is none such.

    From the first call on, SciPy's BLAS uses one thread in this process: OpenBLAS's own would fight
    with XLA's for the cores, and let but one device at a time multiply.
    """
    try:
        from scipy.linalg import cython_blas

        library = ctypes.CDLL(cython_blas.__file__)
        capsule = cython_blas.__pyx_capi__["sgemm"]
    except (ImportError, OSError, AttributeError, KeyError):
        return None
    limits = [getattr(library, name) for name in THREADS if hasattr(library, name)]
    if not limits:
        return None  # another BLAS: nobody knows its threads
    limits[0](ctypes.c_int(1))
    return _address(capsule)


def _address(capsule: object) -> int:
    """What a capsule holds; SciPy names each after its function's type."""
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return pointer(capsule, name(capsule))
