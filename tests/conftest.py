"""Several fake CPU devices, strict shapes and types, and absl flags that count as parsed."""

import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ.setdefault("PJRT_NPROC", "32")  # fewer threads than devices dead-lock on a small machine
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
from absl import flags

jax.config.update("jax_numpy_rank_promotion", "raise")
if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()  # grain reads them
