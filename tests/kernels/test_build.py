"""Compiling on the user's machine: cached by what matters, and never fatal."""

import os
import stat

import pytest

from n2r_jax import runtime
from n2r_jax.kernels import build


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(build.SWITCH, raising=False)


def compiler_that(tmp_path, monkeypatch, script):
    path = tmp_path / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(path))
    return path


def test_without_a_compiler_the_log_says_so_and_there_is_no_library(monkeypatch, tmp_path, caplog):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.shared_library("gru.cc") is None
    assert "no C++ compiler found" in caplog.text


def test_a_compiler_that_fails_is_quoted(monkeypatch, tmp_path, caplog):
    compiler_that(tmp_path, monkeypatch, "echo 'internal compiler error' >&2; exit 1")
    assert build.shared_library("gru.cc") is None
    assert "internal compiler error" in caplog.text
    assert list(runtime.cache_directory().iterdir()) == []


def test_a_library_that_cannot_be_loaded_is_told(monkeypatch, tmp_path, caplog):
    compiler_that(tmp_path, monkeypatch, 'for a; do last="$a"; done; echo text > "$last"')
    assert build.shared_library("gru.cc") is None
    assert "gru.cc could not be compiled" in caplog.text
    assert list(runtime.cache_directory().iterdir()) == []


def test_the_switch_turns_it_off_without_a_word(monkeypatch, caplog):
    monkeypatch.setenv(build.SWITCH, "0")
    assert build.shared_library("gru.cc") is None
    assert caplog.text == ""


def test_another_compiler_another_processor_another_file(monkeypatch, tmp_path):
    first = compiler_that(tmp_path, monkeypatch, "echo version 1")
    names = {build.fingerprint(str(first))}
    names.add(build.fingerprint(str(compiler_that(tmp_path, monkeypatch, "echo version 2"))))
    monkeypatch.setattr(build, "_processor", lambda: "another")
    names.add(build.fingerprint(str(first)))
    assert len(names) == 3


@pytest.mark.skipif(build.find_compiler() is None, reason="no C++ compiler here")
def test_it_is_compiled_once():
    assert build.shared_library("gru.cc") is not None
    (made,) = runtime.cache_directory().iterdir()
    before = os.stat(made).st_mtime_ns
    assert build.shared_library("gru.cc").n2r_gru_columns() > 0
    assert os.stat(made).st_mtime_ns == before
