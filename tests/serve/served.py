"""The tiny run behind an app, warm, for all tests here."""

import atexit
import contextlib
import functools
import pathlib
import shutil
import socket
import tempfile
import threading
import time

import uvicorn

from n2r_jax.inference import TrainedRun
from n2r_jax.serve.app import make_app
from n2r_jax.serve.command import LOOPBACK
from n2r_jax.serve.model import ServedRun
from n2r_jax.train import train
from tests import tiny
from tests.test_pairs_and_questions import question, write


@functools.cache
def served_run() -> ServedRun:
    """The tiny run; four shapes of 32 tokens are all it has."""
    return ServedRun(TrainedRun(tiny.trained_run()))


@functools.cache
def served_questions() -> ServedRun:
    """A tiny run that chooses one of three answers."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="n2r_jax_test_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    fields = {"method": "rnp", "training__epochs": 1}
    train(tiny.config(**fields, **write(folder, question)), str(folder / "run"))
    return ServedRun(TrainedRun(folder / "run"))


def app(run=served_run):
    """A new app, as `n2r serve` makes it."""
    return make_app(run(), hosts=LOOPBACK)


@contextlib.contextmanager
def listening(application):
    """The URL of a real server on a free port, in a thread of this process."""
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, args=([found],))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{found.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        found.close()
