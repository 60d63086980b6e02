"""Several fake CPU devices, strict shapes, quick compiles, and absl flags that count as parsed."""

import os

# Nearly all the time of these tests is compiling, so nothing is optimised and nothing twice.
os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
)
os.environ.setdefault("PJRT_NPROC", "32")  # fewer threads than devices dead-lock on a small machine
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import gc
import pathlib

import jax
import pytest
from absl import flags

CACHE = pathlib.Path(__file__).parents[1] / ".pytest_cache" / "jax"
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
jax.config.update("jax_numpy_rank_promotion", "raise")
if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()  # grain reads them


@pytest.fixture(autouse=True, scope="module")
def _executables_are_given_up():
    """A process may map 65,530 pieces of memory, and every compiled function takes some of them.

    A thousand tests in one process come to more: XLA then crashes where it loads the next one.
    """
    yield
    jax.clear_caches()
    gc.collect()
