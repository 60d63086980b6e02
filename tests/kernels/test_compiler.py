"""Compiling on the user's machine: cached by what matters, and never fatal."""

import os
import stat

import pytest

from n2r_jax import runtime
from n2r_jax.kernels import compiler


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(compiler.SWITCH, raising=False)


def compiler_that(tmp_path, monkeypatch, script):
    path = tmp_path / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(path))
    return path


def test_without_a_compiler_the_log_says_so_and_there_is_no_library(monkeypatch, tmp_path, caplog):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiler.shared_library() is None
    assert "no C++ compiler found" in caplog.text


def test_a_compiler_that_fails_is_quoted(monkeypatch, tmp_path, caplog):
    compiler_that(tmp_path, monkeypatch, "echo 'internal compiler error' >&2; exit 1")
    assert compiler.shared_library() is None
    assert "internal compiler error" in caplog.text
    assert list(runtime.cache_directory().iterdir()) == []


def test_a_library_that_cannot_be_loaded_is_told(monkeypatch, tmp_path, caplog):
    compiler_that(tmp_path, monkeypatch, 'for a; do last="$a"; done; echo text > "$last"')
    assert compiler.shared_library() is None
    assert "could not be compiled" in caplog.text
    assert list(runtime.cache_directory().iterdir()) == []


def test_the_switch_turns_it_off_without_a_word(monkeypatch, caplog):
    monkeypatch.setenv(compiler.SWITCH, "0")
    assert compiler.shared_library() is None
    assert caplog.text == ""


def test_another_compiler_another_processor_another_file(monkeypatch, tmp_path):
    first = compiler_that(tmp_path, monkeypatch, "echo version 1")
    names = {compiler.fingerprint(str(first))}
    names.add(compiler.fingerprint(str(compiler_that(tmp_path, monkeypatch, "echo version 2"))))
    monkeypatch.setattr(compiler, "_processor", lambda: "another")
    names.add(compiler.fingerprint(str(first)))
    assert len(names) == 3


@pytest.mark.skipif(compiler.find_compiler() is None, reason="no C++ compiler here")
def test_it_is_compiled_once():
    assert compiler.shared_library() is not None
    (made,) = runtime.cache_directory().iterdir()
    before = os.stat(made).st_mtime_ns
    assert compiler.shared_library().n2r_gru_columns() > 0
    assert os.stat(made).st_mtime_ns == before
