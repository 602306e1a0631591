"""What computes: processor or GPUs, precision, and how many bytes fit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from data.errors import InputError

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a run computes on.

    Args:
        device: `cpu` or `cuda`.
        processes: GPUs, or processes of the CPU, that share each batch.
        precision: of activations; weights stay float32.
        deterministic: whether only algorithms that repeat to the bit are used, which is slower.
    """

    device: str = "cpu"
    processes: int = 1
    precision: Precision = "float32"
    deterministic: bool = False

    def place(self, rank: int = 0) -> torch.device:
        """The device of one process."""
        return torch.device("cpu") if self.device == "cpu" else torch.device(self.device, rank)

    def autocast(self) -> AbstractContextManager[object]:
        """The context that runs a forward pass in the precision asked for."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device, dtype=getattr(torch, self.precision))

    @contextmanager
    def exact(self) -> Iterator[None]:
        """Repeatable algorithms inside, where they were asked for."""
        if not self.deterministic:
            yield
            return
        # cuBLAS reads it when its first handle is made.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0])
            torch.backends.cudnn.benchmark = before[1]


def machine(
    device: str | None = None,
    *,
    processes: int | None = None,
    precision: str | None = None,
    deterministic: bool = False,
) -> Machine:
    """What to compute on; what is None is the best that is there: all GPUs, in mixed precision.

    Raises:
        InputError: no such device or precision, or fewer GPUs than asked for.
    """
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    device = device or ("cuda" if n_gpus else "cpu")
    if device not in ("cpu", "cuda"):
        raise InputError(f"--device {device!r} is not one of cpu, cuda")
    if device == "cuda" and (processes or 1) > n_gpus:
        raise InputError(f"--device cuda with {processes or 1} GPUs, but {n_gpus} are there")
    if processes is None:
        processes = n_gpus if device == "cuda" else 1
    if precision is None:
        precision = "float32" if device == "cpu" else _gpu_precision()
    if precision not in get_args(Precision) or (device, precision) == ("cpu", "float16"):
        raise InputError(
            f"--precision {precision!r} is not one of {', '.join(get_args(Precision))} "
            "(float16 on GPUs only)"
        )
    return Machine(
        device=device,
        processes=processes,
        precision=precision,  # type: ignore[arg-type]  # checked above
        deterministic=deterministic,
    )


def _gpu_precision() -> str:
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device's memory is full."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # The CPU's allocator has no class of its own for it.
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)
