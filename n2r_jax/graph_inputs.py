"""How graphs become arrays for a model: the types of their nodes, their numbers, their edges."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence

from n2r_jax.data.encoded_graphs import encode_graphs
from n2r_jax.data.encoding import EncodedTexts, TooLong, encode_texts
from n2r_jax.data.records import Graph, Record, Source
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import DataError, UserError
from n2r_jax.inputs import COPY_AGAIN, Checksums, checksum, unaltered

FILE = "nodes.json"


@dataclasses.dataclass(frozen=True)
class GraphInputs:
    """The types that a node may have, and how many numbers come with each node."""

    types: Vocabulary
    features: int
    reads = "graphs"

    @property
    def fingerprint(self) -> str:
        """That of the types and the number of features."""
        return f"{self.types.fingerprint} {self.features}"

    def encode(
        self, records: Source | Sequence[Record], *, max_length: int, too_long: TooLong, name: str
    ) -> EncodedTexts:
        """Look every node up. A graph is never cut: one of more nodes is a UserError."""
        del too_long
        for index in range(len(records)):
            record = records[index]
            if len(record.tokens) > max_length:
                raise UserError(
                    f"{name}, row {record.id!r}: {len(record.tokens)} nodes, the limit is "
                    f"{max_length}; raise config.data.max_length"
                )
        graphs = encode_graphs(records, self.features, name)
        texts = encode_texts(records, self.types, max_length=max_length, name=name)
        return dataclasses.replace(texts, graphs=graphs)

    def example(self, choices: int) -> Record:
        """A graph of one node."""
        del choices
        features = ((0.0,) * self.features,) if self.features else ()
        return Record("", ("",), 0, graph=Graph((), features))

    def save(self, directory: pathlib.Path) -> Checksums:
        """Write nodes.json."""
        path = directory / FILE
        partial = path.with_name(path.name + ".partial")
        content = {"types": self.types.words, "features": self.features}
        partial.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(path)
        return {FILE: checksum(path)}

    @classmethod
    def load(cls, directory: pathlib.Path, checksums: Checksums) -> GraphInputs:
        """Read what `save` wrote; raises DataError if it was altered."""
        path = unaltered(directory / FILE, checksums)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(Vocabulary(tuple(content["types"]), lowercase=False), content["features"])
        except (ValueError, KeyError, TypeError) as error:
            problem = f"is not a list of node types ({error})"
            raise DataError(problem, file=path, mend=COPY_AGAIN) from error

    @classmethod
    def of_records(cls, records: Source) -> GraphInputs:
        """The types that occur, and the features of the first graph."""
        types = sorted({node for i in range(len(records)) for node in records[i].tokens})
        graph = records[0].graph if len(records) else None
        features = len(graph.features[0]) if graph is not None and graph.features else 0
        return cls(Vocabulary(tuple(types), lowercase=False), features)

    def describe(self, texts: EncodedTexts) -> str:
        """How large the graphs are."""
        assert texts.graphs is not None
        nodes, edges = texts.lengths.mean(), len(texts.graphs.senders) / max(len(texts), 1)
        kinds = f"{len(self.types.words)} types of nodes, {self.features} features"
        return f"{kinds}, {nodes:.1f} nodes and {edges:.1f} directed edges a graph"
