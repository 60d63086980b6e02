"""Compile the C++ beside this file into the user's cache, once for each kind of processor."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import pathlib
import platform
import shutil
import subprocess
import tempfile

import jax

from n2r_jax import runtime

SOURCES = pathlib.Path(__file__).parent / "native"
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fPIC", "-shared", "-w")
COMPILERS = ("c++", "g++", "clang++")
SWITCH = "N2R_NATIVE"
"""Environment variable: 0 keeps to XLA's own code; otherwise a failure to compile is told."""

_log = logging.getLogger(__name__)


def shared_library() -> ctypes.CDLL | None:
    """The compiled sources, or None where they cannot be had; the reason is logged."""
    if os.environ.get(SWITCH) == "0":
        return None
    compiler = find_compiler()
    if compiler is None:
        _log.warning(
            "no C++ compiler found (%s): training runs at about half its speed on this CPU",
            ", ".join(COMPILERS),
        )
        return None
    target = runtime.cache_directory() / f"kernels-{fingerprint(compiler)}.so"
    try:
        if not target.exists():
            compile_to(target, compiler, SOURCES / "handlers.cc")
        return ctypes.CDLL(str(target))
    except (OSError, subprocess.SubprocessError) as error:
        target.unlink(missing_ok=True)  # a damaged file would stay in the way for ever
        said = getattr(error, "stderr", "") or error
        _log.warning("the kernels could not be compiled, XLA's slower code runs: %s", said)
        return None


def find_compiler() -> str | None:
    """The C++ compiler that $CXX names, else the first one on the path."""
    named = os.environ.get("CXX")
    candidates = (named,) if named else COMPILERS
    return next((found for name in candidates if (found := shutil.which(name))), None)


def fingerprint(compiler: str) -> str:
    """What a compiled file depends on: the sources, the flags, the compiler, jax, the processor."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    parts = [path.read_bytes() for path in sorted(SOURCES.iterdir()) if path.is_file()]
    parts += [version, " ".join(FLAGS).encode(), jax.__version__.encode(), _processor().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _processor() -> str:
    """The processor's instruction sets: a home folder may be shared by unlike machines."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    told = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    return "\n".join(sorted(set(told)))


def compile_to(target: pathlib.Path, compiler: str, source: pathlib.Path) -> None:
    """Compile beside the target and move it there: another process never sees half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        made = pathlib.Path(directory) / target.name
        command = [compiler, *FLAGS, f"-I{jax.ffi.include_dir()}", str(source), "-o", str(made)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        os.replace(made, target)
