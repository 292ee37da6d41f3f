"""Training of a miniature Stable Diffusion from scratch, saved as a diffusers pipeline.

`autoencoder` and `denoiser` train the two parts with the same `loop`, whose state `checkpoints`
stores; `models` builds the untrained parts, `loss_chart` draws the losses. `lora` adapts a prior
that exists already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch.optim.swa_utils import AveragedModel

from dsel.config import TrainSettings
from dsel.config.base import fingerprint
from dsel.data.images import to_proxy
from dsel.errors import SourceError, UnreadableImage, storage_errors
from dsel.locks import locked
from dsel.priors.known_classes import write_known_classes
from dsel.priors.training.autoencoder import encode_all, train_autoencoder
from dsel.priors.training.denoiser import (
    TrainingData,
    moving_average,
    prompts_of,
    train_denoiser,
)
from dsel.priors.training.folder import claim
from dsel.priors.training.loop import cpu_settings, read_losses
from dsel.priors.training.loss_chart import loss_chart
from dsel.priors.training.models import (
    new_autoencoder,
    new_denoiser,
    new_scheduler,
    new_tokenizer,
)
from dsel.priors.weights import WORK
from dsel.types import Dataset, Done, Event, ImageRef, Pixels, Progress, Skipped, Started


def train(dataset: Dataset, settings: TrainSettings, out: Path) -> Iterator[Event]:
    """Train autoencoder, U-Net and text encoder; save what StableDiffusionPipeline loads at `out`.

    The same call again resumes from the last checkpoint. Raises `StorageError` if `out` has other
    files or another process trains there, and `RunError` if it was trained with other settings or
    data.
    """
    yield from locked(out, _train(dataset, settings, out))


def _train(dataset: Dataset, settings: TrainSettings, out: Path) -> Iterator[Event]:
    # Not the number of images: the same checkpoint may be trained for longer.
    identity = fingerprint(settings.replace(images=1), dataset.fingerprint)
    claim(out, identity)
    with cpu_settings(settings.threads):
        yield from _train_parts(dataset, settings, out, identity)


def _train_parts(
    dataset: Dataset, settings: TrainSettings, out: Path, identity: str
) -> Iterator[Event]:
    work = out / WORK
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    yield from _store_images(dataset, settings, work)
    images = np.load(work / "pictures.npy", mmap_mode="r")
    prompts = prompts_of(dataset.classes, settings.prompt)
    tokenizer = new_tokenizer(prompts)
    with torch.random.fork_rng():
        torch.manual_seed(
            settings.seed
        )  # forked: initial weights are random, the caller's state stays
        autoencoder = new_autoencoder(settings).to(device)
        denoiser = new_denoiser(settings, tokenizer).to(device)
    yield from train_autoencoder(autoencoder.train(), images, settings, work, identity)
    yield from _store_latents(autoencoder.eval(), images, settings, work)
    scheduler = new_scheduler()
    data = _training_data(work, prompts, tokenizer, scheduler.alphas_cumprod)
    autoencoder.register_to_config(scaling_factor=data.scale)
    average = AveragedModel(denoiser, multi_avg_fn=moving_average(settings.ema_decay))
    yield from train_denoiser(denoiser, average, data, settings, work, identity)
    averaged = average.module
    pipeline = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=averaged.text_encoder,
        tokenizer=tokenizer,
        unet=averaged.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    _save(pipeline, out)
    write_known_classes(out, dataset.classes)
    _save_losses(work, out)
    yield Done("train", _figures(work, len(images)))


def _training_data(
    work: Path, prompts: Sequence[str], tokenizer: Any, alphas_cumprod: torch.Tensor
) -> TrainingData:
    latents = np.load(work / "latents.npy", mmap_mode="r")
    labels = np.load(work / "labels.npy")
    return TrainingData(
        latents=latents,
        labels=np.concatenate([labels, labels])[: len(latents)],  # mirrored ones follow
        prompts=prompts,
        tokenizer=tokenizer,
        scale=1.0 / float(np.std(latents[:4096].astype(np.float32))),
        alphas_cumprod=alphas_cumprod,
    )


def _store_images(dataset: Dataset, settings: TrainSettings, work: Path) -> Iterator[Event]:
    """Decode every image once; unreadable ones are reported and left out."""
    if (work / "labels.npy").exists():
        return
    side = settings.resolution_px

    def proxy(ref: ImageRef) -> tuple[ImageRef, Pixels | str]:
        try:
            return ref, to_proxy(dataset.read(ref), side, settings.fit, 0).pixels
        except UnreadableImage as reason:
            return ref, str(reason)

    yield Started("decode", len(dataset.refs), "images")
    labels: list[int] = []
    with storage_errors(work), ThreadPoolExecutor(2) as pool:
        shape = (len(dataset.refs), side, side, 3)
        store = open_memmap(work / "pictures.partial.npy", "w+", np.uint8, shape)
        for ref, pixels in pool.map(proxy, dataset.refs):
            if isinstance(pixels, str):
                yield Skipped(ref, pixels)
            else:
                store[len(labels)] = pixels
                labels.append(ref.class_index)
            yield Progress()
    _finish_images(store, np.asarray(labels, np.int64), work)


def _finish_images(store: NDArray[np.uint8], labels: NDArray[np.int64], work: Path) -> None:
    if not len(labels):
        raise SourceError("no image of the source can be read: nothing to train on")
    with storage_errors(work):
        np.save(work / "pictures.npy", store[: len(labels)])
        (work / "pictures.partial.npy").unlink()
        np.save(
            work / "labels.npy", labels
        )  # written last: its presence marks the images as complete


def _store_latents(
    autoencoder: torch.nn.Module, images: NDArray[np.uint8], settings: TrainSettings, work: Path
) -> Iterator[Event]:
    if (work / "latents.npy").exists():
        return
    rows = len(images) * (2 if settings.flip else 1)
    shape = (rows, settings.latent_channels, settings.cells, settings.cells)
    partial = work / "latents.partial.npy"
    with storage_errors(work):
        store = open_memmap(partial, "w+", np.float16, shape)

        def write(row: int, latents: NDArray[np.float16]) -> None:
            store[row : row + len(latents)] = latents

        yield from encode_all(autoencoder, images, settings.flip, write)
        store.flush()
        partial.replace(work / "latents.npy")


def _save(pipeline: StableDiffusionPipeline, out: Path) -> None:
    """Write float16 safetensors, in files small enough for any Git hosting service."""
    with storage_errors(out):
        pipeline.to(dtype=torch.float16).save_pretrained(out, max_shard_size="9MB")


def _save_losses(work: Path, out: Path) -> None:
    series = {
        name: [(line["images"], line["loss"]) for line in read_losses(work / f"{name}.jsonl")]
        for name in ("autoencoder", "denoiser")
    }
    with storage_errors(out):
        for name, points in series.items():
            (out / f"loss_{name}.png").write_bytes(loss_chart(name, points))


def _figures(work: Path, images: int) -> dict[str, float | int | str]:
    last = {name: read_losses(work / f"{name}.jsonl") for name in ("autoencoder", "denoiser")}
    return {
        "images": images,
        **{f"{name}_loss": lines[-1]["loss"] for name, lines in last.items() if lines},
        **{
            f"{name}_images_seen": int(lines[-1]["images"]) for name, lines in last.items() if lines
        },
    }
