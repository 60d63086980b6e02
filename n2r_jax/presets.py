"""Every point in which the paper and its authors' release differ, under two names."""

from __future__ import annotations

from typing import Any

from n2r_jax.errors import UserError

PRESETS = ("paper", "release")


def switches(preset: str, *, max_length: int) -> dict[str, Any]:
    """The fields of `config.objective` that a preset decides.

    max_length: tokens after padding. The published continuity weight, 12, belongs to the release's
    mean over max_length - 1 positions; divided by their number it weighs the paper's sum the same.
    """
    if preset == "release":
        return {
            "sparsity_per": "batch",
            "continuity": "mean",
            "lambda_continuity": 12.0,
            "lambda_cross_entropy": 0.9,
            "omega_in_update_1": True,
            # PyTorch 1.13, which the release names, keeps zero gradients, so Adam's momentum goes
            # on; PyTorch 2 drops them, and the recorded runs that the tests replay used it.
            "predictor_coasts": False,
        }
    if preset == "paper":
        return {
            "sparsity_per": "input",
            "continuity": "sum",
            "lambda_continuity": 12.0 / (max_length - 1),
            "lambda_cross_entropy": 1.0,
            "omega_in_update_1": False,
            "predictor_coasts": False,
        }
    raise UserError(f"preset {preset!r} is unknown; choose {' or '.join(PRESETS)}")


def describe(preset: str, objective: dict[str, Any], *, max_length: int) -> str:
    """The preset's name, and which of its switches the run has changed."""
    if preset not in PRESETS:
        return preset
    pure = switches(preset, max_length=max_length)
    changed = sorted(name for name, value in pure.items() if objective[name] != value)
    return preset + (f" (changed: {', '.join(changed)})" if changed else "")
