"""One fit on several GPUs, or several processes of the CPU, by torch's own DDP.

Each process takes its share of every batch; gradients are averaged. With batch norm each CPU
process normalises its own share (GPUs share theirs), so figures differ a little by `processes`.
"""

from __future__ import annotations

import os
import tempfile
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from data.errors import InputError, StoppedError
from data.readers import no_main
from experiments.training import (
    BatchError,
    DivergedError,
    Examples,
    Fit,
    Job,
    halved,
    predicted,
    share,
    train,
)

_FAULTS = {kind.__name__: kind for kind in (DivergedError, BatchError)}


def spread(job: Job) -> Fit:
    """`training.fit` by as many processes as the machine has; the first one's outcome.

    Where a batch does not fit into the memory of one of them, all are ended and begin again with
    half of it, where the last checkpoint is: the others wait for its gradients or the statistics
    of a batch norm, and could not be asked to go back.

    Raises:
        DivergedError: the loss is not a number.
        InputError: not even one image fits into memory.
        StoppedError: a process was ended from outside.
    """
    while True:
        try:
            return _spread(job)
        except BatchError:
            job = replace(job, micro=halved(job.micro or share(job)))


def _spread(job: Job) -> Fit:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with no_main():
            context = spawn(  # type: ignore[no-untyped-call]
                _share, args=(place, job), nprocs=job.machine.processes, join=False
            )
        try:
            while not context.join():
                pass
        except (ProcessExitedException, ProcessRaisedException) as e:
            raise _told(place, e) from e
        return Fit(**torch.load(place / "fit.pt", weights_only=True))


def _told(place: Path, error: ProcessExitedException | ProcessRaisedException) -> Exception:
    """The fault that a process wrote down before it ended; else what became of it.

    The note counts before all else: the other processes fail too, each in its own way, once the
    one with the fault no longer answers.
    """
    for note in sorted(place.glob("fault-*")):
        kind, _, message = note.read_text(encoding="utf-8").partition("\n")
        return _FAULTS.get(kind, InputError)(message)
    if isinstance(error, ProcessRaisedException):
        return error
    return StoppedError(
        f"process {error.error_index} was ended from outside (too little memory?); the same "
        "command continues"
    )


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


def shared_logits(model: nn.Module, job: Job, val: Examples, rank: int) -> torch.Tensor:
    """Logits of all validation images, each process having predicted its share."""
    for value in model.buffers():  # running statistics of batch norm are each process's own
        dist.broadcast(value, 0)
    world = job.machine.processes
    mine = predicted(model, val.pixels[rank::world], job.normalisation, job.machine, rank=rank)
    gathered: list[torch.Tensor | None] = [None] * world
    dist.all_gather_object(gathered, mine)
    made = torch.empty((len(val.labels), mine.shape[1]))
    for other, part in enumerate(gathered):
        assert part is not None
        made[other::world] = part
    return made
