"""The graph model: what is not selected is not there, and no order or padding changes anything."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.data.records import Graph
from n2r_jax.graph_inputs import GraphInputs
from n2r_jax.models.graph import GraphModel
from n2r_jax.models.message_passing import propagate, weighted_graph
from n2r_jax.models.mlp import Shape
from tests.graphs import record

RNG = np.random.default_rng(0)
FEATURES = [[0.5, -1.0], [2.0, 0.3], [-0.7, 0.2], [0.1, 0.9], [1.5, -0.4], [0.2, 0.2]]
RING = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (2, 5)]
RECORDS = [
    record("CNOCCN", RING, FEATURES),
    record("CC", [(0, 0), (0, 1)], FEATURES[:2]),  # an edge from a node to itself
    record("N", [], FEATURES[:1]),
    record("OCN", [(0, 2)], FEATURES[:3]),  # a node without any edge
]
INPUTS = GraphInputs.of_records(RECORDS)
MASK = np.array([[1, 0, 1, 1, 0, 1], [1, 1, 0, 0, 0, 0], [1] + [0] * 5, [1, 1, 0, 0, 0, 0]])


def encoded(records):
    return INPUTS.encode(records, max_length=64, too_long="error", name="x")


def batch_of(records, length=6, rows=None):
    return jax.tree.map(
        jnp.asarray, encoded(records).batch(range(len(records)), rows or len(records), length)
    )


def make(pooling="max", *, weights="degree", layer_norm=False, **fields):
    sizes = {"types": 3, "units": 7, "layers": 3, "classes": 2}
    kind = {"pooling": pooling, "weights": weights, "layer_norm": layer_norm}
    model = GraphModel(**sizes, **kind, dropout_rate=0.3, **fields).model()
    params = model.init(jax.random.key(1), batch_of(RECORDS))
    # Biases other than 0: a node that is not selected must stay away for another reason than these.
    return model, jax.tree.map(lambda leaf: leaf + 0.1, params)


@pytest.fixture(scope="module", params=["GCN", "sums, normed"])
def made(request):
    if request.param == "GCN":
        return make("mean")
    return make("max", weights="one", layer_norm=True)


def same(found, other, atol=2e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=atol), found, other)


@pytest.mark.parametrize("key", [None, jax.random.key(5)])
def test_padding_of_nodes_edges_and_rows_never_changes_anything(made, key):
    model, params = made
    large = record("C" * 30, [(a, b) for a in range(30) for b in range(a)], [[0.0, 1.0]] * 30)
    found = []
    for length, records in ((6, RECORDS), (31, [*RECORDS, large])):
        batch = batch_of(records, length)
        assert batch.graphs.senders.shape[1] == (16 if length == 6 else 880)
        scores = model.score(params, model.encode(params, batch), batch, key)
        mask = jnp.pad(jnp.asarray(MASK, jnp.float32), ((0, len(records) - 4), (0, length - 6)))
        predicted = model.predict(params, batch, mask, key)
        found.append(((scores * batch.valid)[:4, :6], jax.tree.map(lambda a: a[:4], predicted)))
    same(*found)


def test_a_prediction_is_that_of_the_induced_subgraph(made):
    model, params = made
    predicted = model.predict(params, batch_of(RECORDS), jnp.asarray(MASK, jnp.float32), None)
    parts = [induced(r, mask) for r, mask in zip(RECORDS, MASK, strict=True)]
    batch = batch_of(parts)
    same(predicted, model.predict(params, batch, batch.valid, None))
    assert np.abs(np.diff(predicted.logits, axis=0)).min() > 1e-4  # and these differ


def induced(whole, mask):
    """The selected nodes and the edges between them, numbered anew."""
    kept = [node for node in range(len(whole.tokens)) if mask[node]]
    numbers = {node: place for place, node in enumerate(kept)}
    inside = [(numbers[a], numbers[b]) for a, b in whole.graph.edges if {a, b} <= set(kept)]
    graph = Graph(tuple(inside), tuple(whole.graph.features[node] for node in kept))
    return dataclasses.replace(whole, tokens=tuple(whole.tokens[n] for n in kept), graph=graph)


def test_what_is_not_selected_never_changes_the_prediction_by_a_bit(made):
    model, params = made
    ring = RECORDS[0]
    others = [(1, 4), (1, 0), (4, 2), (1, 1)]  # 1 and 4 are not selected
    inside = [edge for edge in RING if not {1, 4} & set(edge)]
    features = [[9.0, 9.0] if node in (1, 4) else FEATURES[node] for node in range(6)]
    changed = record("CCOCNN", inside + others, features)
    predict = jax.jit(model.predict)
    mask = jnp.asarray(MASK[:1], jnp.float32)
    found = [predict(params, batch_of([one]), mask, None) for one in (ring, changed)]
    jax.tree.map(np.testing.assert_array_equal, *found)
    whole = [predict(params, batch_of([one]), jnp.ones((1, 6)), None) for one in (ring, changed)]
    assert np.abs(whole[0].logits - whole[1].logits).max() > 1e-3  # it is not blind to them


def test_vectors_of_unselected_nodes_get_exactly_no_gradient(made):
    model, params = made
    batch, mask = batch_of(RECORDS), jnp.asarray(MASK, jnp.float32)
    source = model.from_vectors

    def loss(vectors):
        return source.predict(params, batch, vectors, mask, None).logits[:, 0].sum()

    by_node = np.abs(jax.grad(loss)(source.vectors(params, batch))).sum(-1)
    np.testing.assert_array_equal(by_node[MASK == 0], 0)
    assert (by_node > 0).any(1).all()


def test_the_mask_has_a_gradient_at_nodes_in_and_out(made):
    model, params = made
    batch = batch_of(RECORDS)
    gradient = jax.grad(lambda m: model.predict(params, batch, m, None).logits[0, 0])(
        jnp.asarray(MASK, jnp.float32)
    )
    assert (np.abs(gradient[0]) > 0).all()


def test_the_order_of_the_nodes_changes_nothing_but_the_order(made):
    model, params = made
    ring, order = RECORDS[0], np.array([3, 0, 5, 1, 4, 2])
    place = np.argsort(order)
    turned = record(
        [ring.tokens[n] for n in order],
        [(int(place[a]), int(place[b])) for a, b in ring.graph.edges],
        [FEATURES[n] for n in order],
    )
    found = []
    for one, mask in ((ring, MASK[0]), (turned, MASK[0][order])):
        batch = batch_of([one])
        scores = model.score(params, model.encode(params, batch), batch, None)
        predicted = model.predict(params, batch, jnp.asarray(mask[None], jnp.float32), None)
        found.append((scores[0], predicted))
    same((found[0][0][order], found[0][1]), found[1])


def test_a_self_loop_of_the_data_counts_no_more_than_the_one_every_node_has(made):
    model, params = made
    plain = record("CC", [(0, 1)], FEATURES[:2])
    batches = [batch_of([one]) for one in (RECORDS[1], plain)]
    found = [model.predict(params, batch, batch.valid, None) for batch in batches]
    same(*found)


def test_a_row_without_any_selected_node_has_no_representation(made):
    model, params = made
    found = model.predict(params, batch_of(RECORDS), jnp.zeros((4, 6)), None)
    np.testing.assert_array_equal(found.representation, 0)
    assert np.isfinite(np.asarray(found.logits)).all()


def test_a_layer_is_kipf_and_wellings():
    model, params = make()
    batch, ring = batch_of(RECORDS[:1]), RECORDS[0]
    adjacency = np.eye(6)
    for a, b in ring.graph.edges:
        adjacency[a, b] = 1
    scale = adjacency.sum(1) ** -0.5
    adjacency = scale[:, None] * adjacency * scale
    kinds = np.array([[kind == own for kind in "CNO"] for own in ring.tokens], float)
    states = np.concatenate([kinds, FEATURES], 1)
    for layer in range(3):
        own = params["predictor"]["gcn"][f"layer_{layer}"]
        states = np.maximum(
            adjacency @ states @ np.asarray(own["kernel"]) + np.asarray(own["bias"]), 0
        )
    found = model.predict(params, batch, batch.valid, None)
    np.testing.assert_allclose(found.representation[0], states.max(0), rtol=2e-5)


def test_edges_of_weight_one_add_up():
    model, params = make(weights="one")
    batch = batch_of(RECORDS)
    one = jax.tree.map(lambda leaf: leaf[:1], batch)
    kernel = np.asarray(params["predictor"]["gcn"]["layer_0"]["kernel"])
    assert kernel.shape == (5, 7)
    joined = weighted_graph(one.graphs, one.valid, "one")
    received = np.asarray(propagate(joined, jnp.ones((1, 6, 1))))[0, :, 0]
    np.testing.assert_array_equal(received, [3, 3, 4, 3, 3, 2])  # neighbours and itself
    assert model.from_vectors.vectors(params, batch).shape == (4, 6, 5)


def test_one_gcn_for_both_is_two_that_are_the_same():
    model, params = make(shared=True)
    assert set(params) == {"encoder", "extractor", "predictor"}
    apart, _ = make()
    groups = {g: params["encoder"] | params[g] for g in ("extractor", "predictor")}
    batch, found = batch_of(RECORDS), []
    for one, own in ((model, params), (apart, groups)):
        scores = one.score(own, one.encode(own, batch), batch, None)
        found.append((scores, one.predict(own, batch, batch.valid, None)))
    same(*found, atol=0)


def test_units_may_have_classes_and_attention_may_average_them():
    model, params = make()
    batch = batch_of(RECORDS)
    classes = model.unit_classes(4)
    own = classes.init(jax.random.key(0), batch)
    assert classes.score(own, classes.encode(own, batch), batch, None).shape == (4, 6, 4)
    even = model.attend(params, batch, jnp.zeros((4, 6)), True, None)
    mean, _ = make("mean")
    same(even, mean.predict(params, batch, batch.valid, None))


def test_an_mlp_may_score_the_nodes():
    model, params = make(score_head=Shape(5, 1))
    assert set(params["extractor"]["head"]) == {"linear_0", "linear_1"}
    batch = batch_of(RECORDS)
    scores = model.score(params, model.encode(params, batch), batch, None)
    assert scores.shape == batch.valid.shape and np.ptp(scores) > 1e-3


def test_alike_nodes_have_alike_gradients():
    """A ring whose nodes nothing tells apart: of vectors and of the mask, also where none is in."""
    ring = record("CCCCCC", [(i, (i + 1) % 6) for i in range(6)], [(0.5, 0.1)] * 6)
    model, params = make(weights="one")
    batch = batch_of([ring])
    source = model.from_vectors

    def logit(vectors, mask):
        return source.predict(params, batch, vectors, mask, None).logits[0, 1]

    vectors = source.vectors(params, batch)
    for mask in (batch.valid, batch.valid * 0):
        of_vectors, of_mask = jax.jit(jax.grad(logit, (0, 1)))(vectors, mask)
        for slopes in (of_vectors[0], of_mask[0]):
            np.testing.assert_allclose(slopes, np.broadcast_to(slopes[:1], slopes.shape), rtol=1e-4)
        assert np.abs(of_mask).max() > 1e-4
