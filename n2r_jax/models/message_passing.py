"""Messages along the edges of a batch of graphs. The only file that knows jraph.

Rows of a batch stay rows, so that any part of the code may cut or copy them: here their nodes are
put one after the other, as jraph has them. Padding edges carry a weight of 0.
"""

from __future__ import annotations

from typing import Literal, cast

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float

from n2r_jax.data.batch import Graphs

EdgeWeights = Literal["degree", "one"]


def weighted_graph(
    graphs: Graphs, mask: Float[Array, "b t"], weights: EdgeWeights
) -> jraph.GraphsTuple:
    """The graphs that the selected nodes make by themselves, their edges weighted.

    Every node is joined to itself, once, whatever the data say. 'one': each edge weighs 1.
    'degree': with d_i = 1 + the selected nodes that send to i, an edge from j to i weighs
    1 / sqrt(d_i d_j) (Kipf and Welling 2017), so a node outside the mask has no say in any degree.
    That it sends nothing is up to what it sends: a state of zeros. `nodes` is the weight of each
    node's edge to itself.
    """
    rows, length = mask.shape
    first = (jnp.arange(rows) * length)[:, None]
    senders = (graphs.senders + first).reshape(-1)
    receivers = (graphs.receivers + first).reshape(-1)
    joins = (graphs.real * (graphs.senders != graphs.receivers)).reshape(-1)
    scale = jnp.ones(rows * length)
    if weights == "degree":
        seen = joins * mask.reshape(-1)[senders]
        scale = jax.lax.rsqrt(1 + _sum_at(seen, receivers, rows * length))
    return jraph.GraphsTuple(
        nodes=scale**2,
        edges=joins * scale[senders] * scale[receivers],
        senders=senders,
        receivers=receivers,
        n_node=jnp.full(rows, length),
        n_edge=jnp.full(rows, graphs.senders.shape[1]),
        globals=None,
    )


def propagate(graph: jraph.GraphsTuple, states: Float[Array, "b t f"]) -> Float[Array, "b t f"]:
    """What each node receives: the weighted sum over its neighbours and itself."""
    own, weights, receivers = (cast(Array, a) for a in (graph.nodes, graph.edges, graph.receivers))
    flat = states.reshape(-1, states.shape[-1])
    sent = weights[:, None] * flat[graph.senders]
    received = _sum_at(sent, receivers, len(flat)) + own[:, None] * flat
    return received.reshape(states.shape)


def _sum_at(values: Float[Array, "e ..."], places: Array, size: int) -> Float[Array, "n ..."]:
    return jraph.segment_sum(values, places, size)
