"""Full against block-sparse attention of BigBird as texts grow: memory and seconds.

    python -m experiments.bench_long_texts                 # 512 to 4096 pieces, two base layers
    python -m experiments.bench_long_texts --dtype bfloat16 --remat --layers 12
    python -m experiments.bench_long_texts --smoke         # tiny sizes

Memory is what the compiled program needs besides its arguments and results, as XLA plans it. On a
CPU in float32 both ways attend by our compiled kernel, which stores no scores: there block-sparse
saves time alone, and elsewhere memory too.
Training differentiates by parameters and visibility, and draws random blocks; inference has no key.
Prints a table and writes bench/long-texts-<device>.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.bench import slug
from experiments.bench_driver import Seconds, interleave, summarize
from experiments.bench_machine import machine
from n2r_jax.models.encoders.bigbird import make_bigbird
from n2r_jax.models.encoders.block_sparse import is_sparse
from n2r_jax.models.encoders.interface import EncoderOptions

REPO = pathlib.Path(__file__).parents[1]
FULL, SPARSE = "original_full", "block_sparse"
ACTIONS = ("forward", "train")
BASE = {"hidden": 768, "heads": 12, "inner": 3072, "block": 64, "random": 3}
SMOKE = {"hidden": 16, "heads": 2, "inner": 24, "block": 4, "random": 1}


@dataclasses.dataclass(frozen=True)
class Row:
    """One length and action: each side's planned bytes and seconds of every round."""

    pieces: int
    action: str
    bytes: dict[str, int]
    seconds: Seconds


class Side:
    """A compiled encoder of one way of attending."""

    def __init__(self, kind: str, pieces: int, action: str, options: argparse.Namespace):
        encoder = make_bigbird(config(kind, pieces, options), encoder_options(options))

        def loss(params: Any, visible: Any, vectors: Any, key: Any) -> Any:
            segments, row = jnp.zeros(visible.shape, jnp.int32), jnp.arange(options.rows)
            states, pooled = encoder.encode(params, vectors, visible, segments, row, key)
            return jnp.square(states).mean() + pooled.sum()

        is_training = action == "train"
        step = jax.value_and_grad(loss, (0, 1)) if is_training else loss
        shape = (options.rows, pieces, options.sizes["hidden"])
        vectors = jnp.asarray(np.random.default_rng(0).normal(0, 1, shape), jnp.float32)
        key = jax.random.key(0)
        params = jax.jit(encoder.init)(key)
        self.arguments = (params, jnp.ones(shape[:2]), vectors, key if is_training else None)
        self.run = jax.jit(step).lower(*self.arguments).compile()
        self.bytes = self.run.memory_analysis().temp_size_in_bytes

    def ask(self, request: Mapping[str, Any], limit: float = 0.0) -> dict[str, list[float]]:
        """Seconds of one call, as `interleave` wants them."""
        del request, limit
        start = time.perf_counter()
        jax.block_until_ready(self.run(*self.arguments))
        return {"seconds": [time.perf_counter() - start]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 0."""
    options, console = parse(arguments), Console()
    rows = []
    for pieces in options.lengths:
        for action in ACTIONS:
            rows.append(measure(pieces, action, options))
            console.print(f"{pieces} pieces, {action}: measured")
    console.print(table(rows, options))
    device = jax.devices()[0].device_kind
    named = machine()["cpu"] if device == "cpu" else device
    out = options.out or REPO / "bench" / f"long-texts-{slug(named)}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(record(rows, options), indent=2) + "\n")
    console.print(f"written to {out}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; --smoke makes every size small."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="tiny sizes")
    lengths = (512, 1024, 2048, 4096)
    parser.add_argument(
        "--lengths", type=int, nargs="+", default=lengths, help="default 512 ... 4096"
    )
    for name, value in (("layers", 2), ("rows", 1), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--dropout", type=float, default=0.0, help="of both kinds; default 0")
    parser.add_argument("--remat", action="store_true", help="compute layers again in the backward")
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/long-texts-<device>.json")
    options = parser.parse_args(arguments)
    options.sizes = SMOKE if options.smoke else BASE
    if options.smoke:
        options.lengths, options.rounds = (24, 64), 2
    return options


def config(kind: str, pieces: int, options: argparse.Namespace) -> dict[str, Any]:
    """The config.json of such a BigBird; words are given as vectors, so it knows only one."""
    sizes = options.sizes
    return {
        "model_type": "big_bird",
        "vocab_size": 1,
        "max_position_embeddings": pieces,
        "hidden_size": sizes["hidden"],
        "num_attention_heads": sizes["heads"],
        "num_hidden_layers": options.layers,
        "intermediate_size": sizes["inner"],
        "hidden_act": "gelu_new",
        "attention_type": kind,
        "block_size": sizes["block"],
        "num_random_blocks": sizes["random"],
    }


def encoder_options(options: argparse.Namespace) -> EncoderOptions:
    """How the encoder computes; visibility is soft, as where an extractor learns."""
    return EncoderOptions(
        options.dropout, options.dropout, options.remat, options.dtype, soft_visibility=True
    )


def measure(pieces: int, action: str, options: argparse.Namespace) -> Row:
    """Compile both sides and let them take turns; one only where a text is too short to cut."""
    cut = is_sparse(pieces, options.sizes["block"], options.sizes["random"])
    kinds = (FULL, SPARSE) if cut else (FULL,)
    sides: dict[str, Any] = {kind: Side(kind, pieces, action, options) for kind in kinds}
    seconds = interleave(sides, [{}], rounds=options.rounds)
    return Row(pieces, action, {kind: side.bytes for kind, side in sides.items()}, seconds)


def table(rows: Sequence[Row], options: argparse.Namespace) -> Table:
    """Megabytes and median seconds of both sides, and how many times as good block-sparse is."""
    title = f"{options.layers} layers, {options.rows} x pieces, {options.dtype}"
    shown = Table(title=title + (", remat" if options.remat else ""))
    for column in ("", "pieces", "full MB", "sparse MB", "ratio", "full s", "sparse s", "ratio"):
        shown.add_column(column, justify="right", no_wrap=True)
    for action in ACTIONS:
        for row in (row for row in rows if row.action == action):
            shown.add_row(action, str(row.pieces), *memory_cells(row), *time_cells(row))
        shown.add_section()
    return shown


def memory_cells(row: Row) -> tuple[str, str, str]:
    """Both sides' planned megabytes and their ratio."""
    full = f"{row.bytes[FULL] / 1e6:.1f}"
    if SPARSE not in row.bytes:
        return full, "as full", ""
    return full, f"{row.bytes[SPARSE] / 1e6:.1f}", f"{row.bytes[FULL] / row.bytes[SPARSE]:.1f}"


def time_cells(row: Row) -> tuple[str, str, str]:
    """Both sides' median seconds, and the median of the rounds' own ratios."""
    found = summarize(row.seconds, FULL)
    full = f"{found[FULL].median:.3f}"
    if SPARSE not in found:
        return full, "as full", ""
    return full, f"{found[SPARSE].median:.3f}", f"{found[SPARSE].median_ratio:.1f}"


def record(rows: Sequence[Row], options: argparse.Namespace) -> dict[str, Any]:
    """Everything for the JSON file, the rounds themselves too."""
    settings = {name: x for name, x in vars(options).items() if name != "out"}
    device = jax.devices()[0].device_kind
    measured = [dataclasses.asdict(row) for row in rows]
    return {"machine": machine(), "device": device, "settings": settings, "rows": measured}


if __name__ == "__main__":
    sys.exit(main())
