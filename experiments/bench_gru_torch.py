"""torch.nn.GRU for `bench_gru`: a worker of `bench_worker`, run by a Python that has PyTorch.

cuDNN may use TensorFloat-32 for float32 unless told otherwise: here it does for the format tf32
alone. Nothing of this was run on a GPU yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from bench_worker import serve
from torch import Tensor, nn


class Bench:
    """Answers the driver's requests on one device."""

    def setup(
        self, device: str, steps: int, batch: int, features: int, units: int
    ) -> dict[str, str]:
        """The device and its numbers; the versions they run on."""
        torch.manual_seed(0)
        self.device = torch.device(device)
        self.network = nn.GRU(features, units, bidirectional=True).to(self.device)
        self.inputs = torch.rand(steps, batch, features, device=self.device)
        self.cotangent = torch.rand(steps, batch, 2 * units, device=self.device)
        name = torch.cuda.get_device_name() if device == "cuda" else device
        return {"torch": torch.__version__, "cuda": str(torch.version.cuda), "device": name}

    def forward(self, format: str, calls: int) -> list[float]:
        """Seconds of so many forward passes that keep nothing."""
        inputs, _ = self.prepare(format)
        with torch.no_grad():
            return self.seconds(lambda: self.network(inputs), calls)

    def train(self, format: str, calls: int) -> list[float]:
        """Seconds of so many passes forward and back to the weights and the inputs."""
        inputs, cotangent = self.prepare(format)
        inputs.requires_grad_()

        def once() -> None:
            self.network.zero_grad()
            inputs.grad = None
            self.network(inputs)[0].backward(cotangent)

        return self.seconds(once, calls)

    def prepare(self, format: str) -> tuple[Tensor, Tensor]:
        """The network in this format, and its inputs and cotangent."""
        dtype = torch.bfloat16 if format == "bfloat16" else torch.float32
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = format == "tf32"
        self.network.to(dtype).flatten_parameters()
        return self.inputs.to(dtype).detach(), self.cotangent.to(dtype)

    def seconds(self, once: Callable[[], object], calls: int) -> list[float]:
        """Of all calls after each other, from an idle device to an idle device."""
        self.wait()
        start = time.perf_counter()
        for _ in range(calls):
            once()
        self.wait()
        return [time.perf_counter() - start]

    def wait(self) -> None:
        """Until the device has done what it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


if __name__ == "__main__":
    bench = Bench()
    serve(bench.setup, {"forward": bench.forward, "train": bench.train})
