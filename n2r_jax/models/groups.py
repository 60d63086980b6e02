"""Parameter groups of a model whose extractor and predictor may share a part."""

from __future__ import annotations

from n2r_jax.models.interface import Params


def share(groups: Params, name: str) -> Params:
    """Make the predictor's part of this name the group 'encoder', which both then read."""
    own = {
        group: {part: values for part, values in parameters.items() if part != name}
        for group, parameters in groups.items()
    }
    return own | {"encoder": {name: groups["predictor"][name]}}


def of_group(params: Params, group: str) -> Params:
    """All that a module reads: what it shares, and its own."""
    return params.get("encoder", {}) | params[group]
