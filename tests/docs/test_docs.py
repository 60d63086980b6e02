"""Every command of the documents runs, on a model of a few numbers; those that cannot say why."""

import contextlib
import gc
import json
import logging
import pathlib
import re
import sys
import types

import grain  # noqa: F401 (its flags have to be there before any are saved)
import jax
import numpy as np
import pytest
import uvicorn
from absl import flags
from absl.testing import flagsaver

import n2r_jax.methods
from n2r_jax import cli, main, runtime
from n2r_jax.data.reviews import Reviews
from tests import graphs, tiny
from tests.docs.pages import blocks, unfenced
from tests.models import tiny_encoder
from tests.score.eraser_files import annotation, evidence, write_directory

README = tiny.ROOT / "README.md"
PAGES = {"README": README, **{page.stem: page for page in (tiny.ROOT / "docs").glob("*.md")}}
NEEDS = {"evaluation": ("data", "methods"), "serving": ("data",)}
"""Pages whose commands go on with the runs of others."""
SMALL = {
    "training.epochs": 1,
    "model.units": 4,
    "data.max_length": 32,
    "data.too_long": "truncate",
    "data.cache": "off",
    "batching.buckets": (32,),
    "evaluation.bootstrap": 20,
}
"""What a test asks for besides what the page says."""


class Reader:
    """Does what a page says, in a folder with the files that it speaks of."""

    def __init__(self):
        self.done = set()
        self.served = []

    def read(self, name):
        """Run every command of a page, and of those it goes on from."""
        for earlier in NEEDS.get(name, ()):
            self.read(earlier)
        if name in self.done:
            return
        self.done.add(name)
        for block in blocks(PAGES[name]):
            if block.reason is None:
                self.do(block)

    def do(self, block):
        if block.language == "python":
            run_python(block.body)
            return
        for command in block.commands():
            assert self.launch(command) == 0, command

    def launch(self, command):
        if command[0] == "n2r":
            return cli.main(command[1:])
        assert command[:3] == ["python", "-m", "n2r_jax.main"], command
        small = [f"--config.{name}={value}" for name, value in SMALL.items()]
        with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
            saved = flagsaver.save_flag_values()
            stack.callback(flags.FLAGS.mark_as_parsed)
            stack.callback(flagsaver.restore_flag_values, saved)
            patch.setattr(sys, "argv", ["main", *command[3:], *small])
            with pytest.raises(SystemExit) as stop:
                main.run()
        return stop.value.code or 0


def run_python(body):
    """A whole file is a module of its name, as if it were saved where the page says."""
    whole = re.match(r'"""', body)
    module = types.ModuleType("n2r_jax.methods.bottleneck" if whole else "__main__")
    if whole:
        sys.modules[module.__name__] = module
    exec(compile(body, module.__name__, "exec"), module.__dict__)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    write_files(folder)
    own = logging.getLogger("n2r_jax")
    before = own.handlers, own.level, own.propagate
    methods = dict(n2r_jax.methods.METHODS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(runtime, "configure", lambda **_: None)
        patch.setattr(runtime, "enable_compilation_cache", lambda: None)
        patch.setattr(gc, "freeze", lambda: None)  # what is frozen is never given back
        made = Reader()
        patch.setattr(uvicorn, "run", lambda app, **options: made.served.append(options))
        yield made
    own.handlers, own.level, own.propagate = before
    n2r_jax.methods.METHODS.clear()
    n2r_jax.methods.METHODS.update(methods)
    sys.modules.pop("n2r_jax.methods.bottleneck", None)


def write_files(folder):
    """The user's files, as the pages call them."""
    (folder / "configs").symlink_to(tiny.ROOT / "configs")
    for split, size in (("train", 24), ("dev", 16), ("test", 16)):
        tiny.write_rows(folder / f"{split}.jsonl", split, size)
        graphs.write_rows(folder / f"graphs-{split}.jsonl", split, size)
    (folder / "new.jsonl").write_text(json.dumps({"text": "The room was lovely."}) + "\n")
    words = sorted(
        {token.lower() for record in Reviews("train", size=24) for token in record.tokens}
    )
    vectors = np.random.default_rng(0).normal(size=(len(words), 100)).round(3)
    lines = (" ".join((word, *map(str, row))) for word, row in zip(words, vectors, strict=True))
    (folder / "glove.6B.100d.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tiny_encoder.write_directory(folder / "bert-directory")
    write_movies(folder / "movies")


def write_movies(folder):
    """An ERASER directory of eight short films."""
    kinds = {"NEG": "dull", "POS": "fine"}
    for split in ("train", "val", "test"):
        documents, rows = {}, []
        for i in range(8):
            label = ("NEG", "POS")[i % 2]
            name = f"{split}{i}"
            documents[name] = f"film number {i} is a very {kinds[label]} film indeed"
            rows.append(annotation(name, label, evidence(name, 5, 7)))
        write_directory(folder, documents, rows, split=split)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_command_of_a_page_runs(reader, name):
    reader.read(name)
    if name == "serving":
        assert reader.served and reader.served[-1]["host"] == "127.0.0.1"
    if name == "extending":
        lines = tiny.lines(pathlib.Path("runs/bottleneck"))
        assert all(line["divergence"] >= 0 for line in lines if line["split"] == "train")
    jax.clear_caches()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_command_is_hidden_from_these_tests(name):
    assert unfenced(PAGES[name]) == []
    assert all(len(block.reason) > 10 for block in blocks(PAGES[name]) if block.reason)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_link_and_every_file_that_is_named_is_there(name):
    page = PAGES[name]
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert [link for link in links if ":" not in link and not (page.parent / link).exists()] == []
    named = re.findall(r"`((?:n2r_jax|configs|tests|experiments|bench)/[\w/.-]+)`", text)
    planned = {"n2r_jax/methods/bottleneck.py", "tests/methods/test_bottleneck.py"}
    missing = {path for path in named if "NAME" not in path and not (tiny.ROOT / path).exists()}
    assert missing <= planned


def test_the_readme_points_to_every_page():
    text = README.read_text(encoding="utf-8")
    assert [name for name in PAGES if name != "README" and f"docs/{name}.md" not in text] == []
