"""One fit on several GPUs, or several processes of the CPU, by torch's own DDP.

Each process takes its share of every batch; gradients are averaged. With batch norm each CPU
process normalises its own share (GPUs share theirs), so figures differ a little by `processes`.
"""

from __future__ import annotations

import os
import tempfile
from copy import deepcopy
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from data.errors import InputError, StoppedError
from data.readers import no_main
from experiments.training import DivergedError, Fit, Job, predicted, train

_DIVERGED = "DivergedError"


def spread(job: Job) -> Fit:
    """`training.fit` by as many processes as the machine has; the first one's outcome.

    Raises:
        DivergedError: the loss is not a number.
        InputError: a batch does not fit into memory.
        StoppedError: a process was ended from outside.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with no_main():
            context = spawn(  # type: ignore[no-untyped-call]
                _share, args=(place, job), nprocs=job.machine.processes, join=False
            )
        try:
            while not context.join():
                pass
        except ProcessExitedException as e:
            raise StoppedError(
                f"process {e.error_index} of {job.machine.processes} was ended from outside (too "
                "little memory?); the same command continues"
            ) from e
        except ProcessRaisedException as e:
            raise _told(place, e) from e
        return Fit(**torch.load(place / "fit.pt", weights_only=True))


def _told(place: Path, error: Exception) -> Exception:
    """The fault that a process wrote down before it ended; else the error with its traceback."""
    for note in sorted(place.glob("fault-*")):
        kind, _, message = note.read_text(encoding="utf-8").partition("\n")
        return DivergedError(message) if kind == _DIVERGED else InputError(message)
    return error


def _share(rank: int, place: Path, job: Job) -> None:
    """What one process does."""
    world = job.machine.processes
    is_cuda = job.machine.device == "cuda"
    if is_cuda:
        torch.cuda.set_device(rank)
    else:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // world))
    dist.init_process_group(
        "nccl" if is_cuda else "gloo",
        init_method=(place / "rendezvous").as_uri(),
        rank=rank,
        world_size=world,
    )
    # Tensors come here in memory that all processes share: fine for images, not for weights.
    job.classifier = deepcopy(job.classifier)
    try:
        with job.machine.exact():
            found = train(job, rank=rank)
    except InputError as e:
        note = f"{type(e).__name__}\n{e.message}"
        (place / f"fault-{rank}").write_text(note, encoding="utf-8")
        raise
    if rank == 0:
        content = {
            "state": found.state,
            "val_auc": found.val_auc,
            "epochs": found.epochs,
            "batch": found.batch,
        }
        torch.save(content, place / "fit.pt")
    dist.barrier()
    dist.destroy_process_group()


def shared_logits(model: nn.Module, job: Job, rank: int) -> torch.Tensor:
    """Logits of all validation images, each process having predicted its share."""
    for value in model.buffers():  # running statistics of batch norm are each process's own
        dist.broadcast(value, 0)
    world = job.machine.processes
    mine = predicted(model, job.val.pixels[rank::world], job.normalisation, job.machine, rank=rank)
    gathered: list[torch.Tensor | None] = [None] * world
    dist.all_gather_object(gathered, mine)
    made = torch.empty((len(job.val.labels), mine.shape[1]))
    for other, part in enumerate(gathered):
        assert part is not None
        made[other::world] = part
    return made
