"""Launch a config.

python -m n2r_jax.main --config=configs/demo.py --workdir=runs/demo
python -m n2r_jax.main --mode=evaluate --workdir=runs/demo
"""

from __future__ import annotations

import logging
import sys
import time

LAUNCHED = time.time()

from absl import app, flags  # noqa: E402  (the clock starts before the imports)
from absl import logging as absl_logging  # noqa: E402
from ml_collections import ConfigDict, config_flags  # noqa: E402

from n2r_jax import runtime  # noqa: E402
from n2r_jax.errors import UserError  # noqa: E402

_CONFIG = config_flags.DEFINE_config_file("config", None, "A file of configs/.", lock_config=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "The run's directory.", required=True)
_MODE = flags.DEFINE_enum("mode", "train", ["train", "evaluate"], "What to do.")
_DATA = flags.DEFINE_string("data", "", "evaluate: a file in place of the config's test split.")
_DEVICES = flags.DEFINE_integer("cpu_devices", 0, "CPU devices to use; 0: one for each core.")
_COORDINATOR = flags.DEFINE_string(
    "coordinator", "", "Several processes: host:port of the first one, or 'auto' on SLURM and TPU."
)
_PROCESSES = flags.DEFINE_integer("processes", 0, "Several processes: how many.")
_PROCESS = flags.DEFINE_integer("process", 0, "Several processes: which one is this.")


def main(_: list[str]) -> int:
    """Configure the platform and do what `--mode` says."""
    _show_own_messages()
    runtime.configure(cpu_devices=_DEVICES.value or None)
    _join_processes()
    runtime.enable_compilation_cache()
    if _MODE.value == "evaluate":
        from n2r_jax.evaluate import evaluate_command

        return evaluate_command(_WORKDIR.value, data=_DATA.value or None)
    if _CONFIG.value is None:
        raise UserError("which config? say --config=configs/NAME.py")
    if not isinstance(_CONFIG.value, ConfigDict):
        path = config_flags.get_config_filename(flags.FLAGS["config"])
        raise UserError(f"there is no config file {path}; see configs/")
    from n2r_jax.members import members_of
    from n2r_jax.train import train
    from n2r_jax.train_several import train_several
    from n2r_jax.training.loop import Interrupted

    launch = train_several if members_of(_CONFIG.value) else train
    try:
        launch(_CONFIG.value, _WORKDIR.value, LAUNCHED)
    except Interrupted as stop:
        print(f"{stop}; everything is saved, the same command goes on", file=sys.stderr)
        return 128 + stop.signal_number
    return 0


def _show_own_messages() -> None:
    """Our own messages, and of the libraries only warnings (orbax tells every file it moves)."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    own = logging.getLogger("n2r_jax")
    own.setLevel(logging.INFO)
    own.propagate = False
    own.handlers = [handler]


def _join_processes() -> None:
    """Make this process one of many, if it is."""
    if not _COORDINATOR.value:
        return
    import jax

    if _COORDINATOR.value == "auto":
        jax.distributed.initialize()
    else:
        jax.distributed.initialize(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)


def parse_flags(arguments: list[str]) -> list[str]:
    """Parse flags; a config field or file that does not exist is the user's mistake."""
    try:
        return flags.FLAGS(arguments)
    except (AttributeError, KeyError) as error:
        inner = error.args[0] if isinstance(error.args[0], KeyError) else error
        name, *hint = str(inner.args[0]).replace('"', "'").splitlines()
        told = "; ".join([f"the config has no field {name}", *hint])
        raise UserError(f"{told} (configs/base.py has all fields)") from error
    except OSError as error:
        named = [a.partition("=")[2] for a in arguments if a.startswith("--config=")]
        raise UserError(f"there is no config file {' '.join(named)}") from error
    except (flags.Error, TypeError, ValueError) as error:
        reason = " ".join(str(error.args[0] if error.args else error).split())
        raise UserError(f"{reason} (see --help, and configs/base.py for all fields)") from error


def run() -> None:
    """Run `main`; a mistake the user can mend is one line and exit code 2."""
    try:
        parse_flags(sys.argv)
        app.run(main, argv=sys.argv, flags_parser=lambda _: sys.argv[:1])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the newest checkpoint", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    run()
