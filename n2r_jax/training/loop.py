"""The loop of one run, or of several that train as one program: step, log, evaluate, save, stop.

Nothing waits for the device: a step's metrics are read when the next one is under way, and
checkpoints are written in the background.
"""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import jax

from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Metrics
from n2r_jax.training.run import Run
from n2r_jax.training.state import TrainState

EvaluateFn = Callable[[TrainState, int], dict[str, float]]
"""(a run's state, which run) -> its dev metrics."""


class Interrupted(Exception):
    """A signal asked the run to stop; everything was saved first."""

    def __init__(self, signal_number: int, step: int):
        self.signal_number, self.step = signal_number, step
        super().__init__(f"stopped by {signal.Signals(signal_number).name} after step {step}")


@dataclasses.dataclass(frozen=True)
class Program:
    """How the state of a loop's runs moves, and how one run's part is found in it.

    By default there is one run and everything is its own.
    """

    step: Callable[[Any, Batch], tuple[Any, Metrics]]
    take: Callable[[Any, int], TrainState] = lambda state, run: state
    metrics_of: Callable[[Metrics, int], Metrics] = lambda metrics, run: metrics
    retire: Callable[[Any, int], Any] = lambda state, run: state
    """(state, run) -> a state in which this run, which is over, moves no more."""


@dataclasses.dataclass
class Loop:
    """Steps all its runs from where they are until the last one is over."""

    program: Program
    runs: Sequence[Run]
    evaluate: EvaluateFn

    def __post_init__(self) -> None:
        self._pending: tuple[Metrics, list[int]] | None = None
        self._steps = 0
        self._signal: int | None = None

    def run(self, state: Any, batches: Iterator[Batch]) -> Any:
        """Train to the end, or until a signal or a loss that is no number."""
        state = self._retire(state, range(len(self.runs)))
        with self._signals_caught():
            while self.active:
                active = self.active
                state, metrics = self.program.step(state, next(batches))
                self._read_pending()
                self._steps += 1
                for index in active:
                    self.runs[index].progress.step += 1
                self._pending = (metrics, active)
                for index in active:
                    self._end_step(state, index)
                state = self._retire(state, active)
                self._stop_if_asked(state, active)
        self._read_pending()
        return state

    @property
    def active(self) -> list[int]:
        """Runs that are not over."""
        return [index for index, run in enumerate(self.runs) if not run.is_over()]

    def _retire(self, state: Any, candidates: Sequence[int]) -> Any:
        active = set(self.active)
        for index in candidates:
            if index not in active:
                state = self.program.retire(state, index)
        return state

    def _read_pending(self) -> None:
        """Give the metrics of the step before to their runs."""
        if self._pending is None:
            return
        metrics, active = self._pending
        self._pending = None
        found = jax.device_get(metrics)
        for index in active:
            run, own = self.runs[index], self.program.metrics_of(found, index)
            # When the next step was under way, the run had counted no further than this one.
            run.read(run.progress.step, {n: (float(a), float(b)) for n, (a, b) in own.items()})

    def _end_step(self, state: Any, index: int) -> None:
        """What is due after a step of a run: evaluation and checkpoints."""
        run = self.runs[index]
        if run.ends_epoch:
            self._read_pending()
            own = self.program.take(state, index)
            run.end_epoch(own, lambda: self.evaluate(own, index))
        elif run.saves_here:
            self._read_pending()
            run.save_latest(self.program.take(state, index))

    def _stop_if_asked(self, state: Any, active: Sequence[int]) -> None:
        if not self._stop_asked():
            return
        self._read_pending()
        for index in active:
            self.runs[index].save_latest(self.program.take(state, index))
        raise Interrupted(self._signal or signal.SIGTERM, self.runs[active[0]].progress.step)

    def _stop_asked(self) -> bool:
        """Whether a signal came. Processes of one job must stop at the same step."""
        if jax.process_count() == 1:
            return self._signal is not None
        from jax.experimental import multihost_utils

        # They agree on the highest count among them plus one, and one that never asked counts 0.
        # So the steps of this launch are counted: with a resumed run's own numbers, a signal that
        # comes before its first step would stop it at step 1, which is long past.
        return multihost_utils.reached_preemption_sync_point(self._steps)

    def _signals_caught(self) -> _Caught:
        def remember(number: int, frame: FrameType | None) -> None:
            if self._signal is not None:
                raise KeyboardInterrupt  # asked twice: do not wait for the step
            self._signal = number
            if jax.process_count() > 1:
                signal.raise_signal(signal.SIGTERM)

        return _Caught(remember)


class _Caught:
    """SIGTERM and SIGINT are remembered, not obeyed, while a run saves what it has.

    Of several processes, SIGTERM stays with the handler of jax.distributed, which tells the others.
    """

    numbers = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, handler: Callable[[int, FrameType | None], None]):
        self.handler = handler

    def __enter__(self) -> None:
        caught = self.numbers if jax.process_count() == 1 else (signal.SIGINT,)
        self.before = {number: signal.signal(number, self.handler) for number in caught}

    def __exit__(self, *_: Any) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
