"""What is set before JAX starts, and that the user's own settings stay."""

import os
import subprocess
import sys
import types

import pytest

from n2r_jax import runtime


@pytest.fixture
def environment(monkeypatch):
    found = {}
    monkeypatch.setattr(runtime, "os", types.SimpleNamespace(environ=found))
    monkeypatch.setattr(runtime, "cores", lambda: 2)
    return found


def test_one_device_for_each_core_by_default(environment):
    runtime.configure()
    assert "--xla_force_host_platform_device_count=2" in environment["XLA_FLAGS"]
    assert "--xla_cpu_multi_thread_eigen=false" in environment["XLA_FLAGS"]
    assert environment["PJRT_NPROC"] == "8"


def test_a_lone_device_keeps_its_threads(environment):
    runtime.configure(cpu_devices=1)
    assert environment["XLA_FLAGS"] == "--xla_force_host_platform_device_count=1"


def test_many_devices_get_threads_enough_for_their_collectives(environment):
    runtime.configure(cpu_devices=16)
    assert environment["PJRT_NPROC"] == "64"


def test_calling_again_changes_nothing(environment):
    runtime.configure()
    once = dict(environment)
    runtime.configure(cpu_devices=5)
    assert environment == once


def test_what_the_user_has_set_stays(environment):
    own = "--xla_force_host_platform_device_count=3 --xla_cpu_multi_thread_eigen=true"
    environment.update(XLA_FLAGS=own, PJRT_NPROC="7")
    runtime.configure(cpu_devices=8)
    assert environment == {"XLA_FLAGS": own, "PJRT_NPROC": "7"}


def test_a_fresh_process_sees_the_devices_and_fills_the_cache(tmp_path):
    program = (
        "from n2r_jax import runtime; runtime.configure(3)\n"
        f"runtime.enable_compilation_cache({str(tmp_path)!r})\n"
        "import jax; jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)\n"
        "jax.jit(lambda x: x + 1)(1); print(jax.local_device_count())"
    )
    named = ("XLA_FLAGS", "PJRT_NPROC", "JAX_COMPILATION_CACHE_DIR")
    env = {k: v for k, v in os.environ.items() if k not in named} | {"JAX_PLATFORMS": "cpu"}
    ran = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    assert ran.stdout == "3\n", ran.stderr
    assert list(tmp_path.iterdir())
