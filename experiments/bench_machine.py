"""Where a benchmark runs: the machine in words, and a Python of its own for PyTorch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any


def machine(packages: Sequence[str] = ("jax", "jaxlib", "flax", "numpy")) -> dict[str, Any]:
    """What a figure was measured on, ready for JSON."""
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).is_file():
        named = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = named[0].split(":", 1)[1].strip() if named else cpu
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return {
        "cpu": cpu,
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in packages},
    }


def find_torch_python(repo: Path) -> Path | None:
    """A Python that has PyTorch: N2R_TORCH_PYTHON, else the repository's .venv-torch, else None."""
    if named := os.environ.get("N2R_TORCH_PYTHON"):
        if not Path(named).is_file():
            raise FileNotFoundError(f"N2R_TORCH_PYTHON is {named}, which is no file")
        return Path(named)
    own = repo / ".venv-torch" / "bin" / "python"
    return own if own.is_file() else None


def make_torch_venv(repo: Path, requirements: Sequence[str] = ("torch==2.13.0", "numpy")) -> Path:
    """Makes .venv-torch, out of git's sight, and returns its Python; leaves nothing if it fails."""
    folder = repo / ".venv-torch"
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        (folder / ".gitignore").write_text("*\n")
        subprocess.run([*install, *requirements], check=True)
    except BaseException as error:  # an interrupted one too: half an environment would be found
        shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, subprocess.CalledProcessError):
            raise
        mend = "or set N2R_TORCH_PYTHON to a Python that has PyTorch"
        what = " and ".join(requirements)
        raise RuntimeError(
            f"could not install {what} into {folder}: see pip above; {mend}"
        ) from error
    return python
