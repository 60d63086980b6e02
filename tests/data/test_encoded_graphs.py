"""Graphs as arrays: few shapes, padding that is empty, and graphs that are never cut."""

import numpy as np
import pytest

from n2r_jax.data.cache import Cache
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.data.records import Record
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import UserError
from n2r_jax.graph_inputs import GraphInputs
from n2r_jax.inputs import WordInputs
from tests.graphs import record

RECORDS = [
    record("CO", [(0, 1)], [[1, 2], [3, 4]]),
    record("CCN", [(0, 1), (1, 2), (0, 2)], [[5, 6], [7, 8], [9, 10]]),
    record("X" * 7, [(a, b) for a in range(7) for b in range(a)], [[0, 0]] * 7),
]
INPUTS = GraphInputs.of_records(RECORDS[:2])
LIMITS = {"max_length": 8, "too_long": "truncate", "name": "mine"}


def test_a_batch_holds_edges_and_features_of_its_graphs():
    texts = INPUTS.encode(RECORDS, **LIMITS)
    batch = texts.batch([1, 0], 3, 4)
    assert batch.graphs.count.tolist() == [6, 2, 0]
    assert batch.graphs.real.sum(1).tolist() == [6, 2, 0]
    senders, receivers = batch.graphs.senders, batch.graphs.receivers
    assert [*zip(senders[0, :6], receivers[0, :6], strict=True)] == list(RECORDS[1].graph.edges)
    assert not senders[1, 2:].any() and not receivers[2].any()
    np.testing.assert_array_equal(batch.graphs.features[0, :3], RECORDS[1].graph.features)
    assert not batch.graphs.features[1, 2:].any()
    assert batch.tokens[0].tolist() == [1, 1, 2, 0]  # C, N, O; unknown types are 0
    assert not texts.batch([2], 1, 7).tokens.any()


def test_there_is_one_shape_for_each_length():
    texts = INPUTS.encode(RECORDS, **LIMITS)
    shapes = {texts.batch([i], 1, 4).graphs.senders.shape for i in (0, 1)}
    assert shapes == {(1, 16)}  # also that of a batch of no graph
    assert texts.batch([], 1, 4).graphs.senders.shape == (1, 16)
    assert texts.batch([0], 1, 8).graphs.senders.shape == (1, 48)


def test_a_graph_that_does_not_fit_is_told_and_never_cut():
    with pytest.raises(UserError, match=r"mine, row 'g': 7 nodes, the limit is 6; raise"):
        INPUTS.encode(RECORDS, **(LIMITS | {"max_length": 6}))


def test_other_features_than_those_of_training_are_told():
    with pytest.raises(UserError, match=r"row 'g' has 0 features a node, .* has 2"):
        INPUTS.encode([record("C", [])], **LIMITS)


def test_models_of_texts_and_of_graphs_tell_each_others_rows():
    with pytest.raises(UserError, match=r"row 'a' is a text, and config.model.name=gcn reads"):
        INPUTS.encode([Record("a", ("so",), 0)], **LIMITS)
    words = WordInputs(Vocabulary(("so",)), np.zeros((2, 3), np.float32))
    with pytest.raises(UserError, match=r"row 'g' is a graph, and this model reads texts; set"):
        words.encode(RECORDS, **LIMITS)


def test_inputs_and_encoded_graphs_come_back_from_the_disk(tmp_path):
    checksums = INPUTS.save(tmp_path)
    assert GraphInputs.load(tmp_path, checksums) == INPUTS
    texts = INPUTS.encode(RECORDS, **LIMITS)
    cache = Cache(tmp_path / "cache")
    cache.get(EncodedTexts, {"a": 1}, lambda: texts)
    found = cache.get(EncodedTexts, {"a": 1}, lambda: pytest.fail("was not kept"))
    np.testing.assert_array_equal(found.graphs.features, texts.graphs.features)
    np.testing.assert_array_equal(found.graphs.receivers, texts.graphs.receivers)
