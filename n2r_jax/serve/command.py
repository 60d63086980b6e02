"""`n2r serve`: load a run, compile what it needs, listen."""

from __future__ import annotations

import gc
import ipaddress
import time

from n2r_jax.errors import UserError
from n2r_jax.inference import TrainedRun, Which

LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")
INSTALL = "n2r serve needs two packages more: pip install 'n2r_jax[serve]'"


def serve_command(run: str, *, host: str, port: int, which: Which) -> int:
    """Serve until interrupted; returns 0. Raises UserError where a package is missing."""
    try:
        import uvicorn

        from n2r_jax.serve.app import make_app
    except ImportError as error:
        raise UserError(f"{INSTALL} ({error})") from error
    from n2r_jax.serve.model import ServedRun

    # Whoever types a text cannot change the run's config: what is too long is cut, and told.
    started, trained = time.monotonic(), TrainedRun(run, which, {"data.too_long": "truncate"})
    if trained.inputs.reads != "texts":
        raise UserError(
            f"n2r serve is for texts, this run is of {trained.inputs.reads}; explain them by "
            "n2r explain --in FILE, or look at them by n2r report"
        )
    served = ServedRun(trained)
    print("compiling ...", flush=True)
    count = served.warm_up()
    gc.collect()
    gc.freeze()  # what is there stays: to look through all of it again takes 0.1 s, and all wait
    print(f"{count} shapes compiled; warm after {time.monotonic() - started:.0f} s")
    if not is_loopback(host):
        print(f"warning: {host} is open to the network, and nobody is asked who they are")
    app = make_app(served, hosts=LOOPBACK if is_loopback(host) else ("*",))
    shown = f"[{host}]" if ":" in host else host
    print(f"page http://{shown}:{port}/   JSON http://{shown}:{port}/docs", flush=True)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,  # texts are nobody's business, and a line a request costs time
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return 0


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
