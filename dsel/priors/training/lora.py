"""Low-rank adaptation of a prior's network to a dataset: LoRA, Hu et al., arXiv 2106.09685.

Every adapted layer with weights W gets two small matrices, and computes W x + B A x. Only A and B
are trained; B starts at zero, so that training starts at the prior itself. Text encoders and the
autoencoder stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dsel.config import AdaptSettings
from dsel.data.images import to_proxy
from dsel.errors import PriorError, SettingError, SourceError, UnreadableImage, storage_errors
from dsel.priors.base import PipelinePrior
from dsel.priors.loading import check_peft, quiet
from dsel.priors.schedules import add_noise, amplitudes
from dsel.priors.training.denoiser import draw_timesteps, drop_prompts, prompts_of
from dsel.priors.training.loop import Job, train_part
from dsel.priors.weights import LORA_FILE, WORK
from dsel.types import Dataset, Event, ImageRef, Pixels, Progress, Skipped, Started

ATTENTION: Final = ("to_q", "to_k", "to_v", "to_out.0")
"""Names of the attention's projections in all networks of diffusers."""

OTHERS: Final = (
    "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "time_emb_proj", "conv1", "conv2",
    "conv_shortcut",
)  # fmt: skip
"""Names of the other layers of a block: feed-forward, and those of a U-Net's residual blocks."""

ENCODE_BATCH: Final = 8
LATENTS, LABELS = "latents.npy", "labels.npy"

Target = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(z_0, eps, signal_t, noise_t) -> what the network is trained to predict."""

TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        "epsilon": lambda _clean, eps, _signal, _amount: eps,
        "v_prediction": lambda clean, eps, signal, amount: signal * eps - amount * clean,
        "sample": lambda clean, _eps, _signal, _amount: clean,
        "flow": lambda clean, eps, _signal, _amount: eps - clean,
    }
)
"""The target of each kind of prediction, of which `dsel.priors.losses.PREDICTIONS` is the inverse.

v: Salimans and Ho, arXiv 2202.00512, appendix D. Flow: Esser et al., arXiv 2403.03206, section 2.
"""


def check_adaptable(prior: PipelinePrior) -> None:
    """Raise `PriorError` or `SettingError` for a prior that LoRA cannot be trained for."""
    if not hasattr(prior.diffusers_pipeline, "save_lora_weights"):
        kind = type(prior.diffusers_pipeline).__name__
        raise PriorError(f"diffusers has no LoRA for a {kind}: choose a prior with prompts")
    if prior.precision == "float16":
        raise SettingError(
            "precision must be bfloat16 or float32 for training, got float16, in which small "
            "gradients are 0",
            setting="precision",
        )
    check_peft()


def add_layers(prior: PipelinePrior, settings: AdaptSettings) -> nn.ParameterList:
    """Add the matrices to a prior's network, and return them; nothing else has a gradient.

    Their initial values follow from the seed.
    """
    from peft import LoraConfig

    network = network_of(prior).requires_grad_(requires_grad=False)
    targets = ATTENTION if settings.layers == "attention" else (*ATTENTION, *OTHERS)
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(settings.seed)
        # With alpha = rank the matrices' product is added as it is.
        network.add_adapter(
            LoraConfig(r=settings.rank, lora_alpha=settings.rank, target_modules=list(targets))
        )
    parameters = [p for p in network.parameters() if p.requires_grad]
    for parameter in parameters:  # small updates would be lost in half precision
        parameter.data = parameter.data.float()
    return nn.ParameterList(parameters)


def network_of(prior: PipelinePrior) -> Any:
    """Return the network that predicts."""
    return getattr(prior.diffusers_pipeline, prior.network)


@dataclass(frozen=True, slots=True)
class LoraTraining:
    """What a network is adapted to, and where the state is stored.

    refs: the images to train on. identity: the fingerprint of the training.
    """

    dataset: Dataset
    refs: Sequence[ImageRef]
    settings: AdaptSettings
    out: Path
    identity: str


def train_lora(
    prior: PipelinePrior, parameters: nn.ParameterList, training: LoraTraining
) -> Iterator[Event]:
    """Minimise the prior's own loss over the added matrices; resumes from the last checkpoint."""
    settings, work = training.settings, training.out / WORK
    yield from _store_latents(prior, training)
    latents, labels = np.load(work / LATENTS, mmap_mode="r"), np.load(work / LABELS)
    names = tuple(names[0] for names in training.dataset.names)
    prompts = prompts_of(names, settings.prompt)
    with torch.no_grad():  # the encoder answers in inference mode, whose tensors take no gradient
        conditioning = {k: v.clone() for k, v in prior.embed(prompts).items()}
    count = settings.batch_size // settings.accumulate
    target = TARGETS[prior.prediction]

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(latents), (count,), generator=generator)
        clean = torch.from_numpy(latents[rows.numpy()]).float().to(prior.device)
        eps = torch.randn(clean.shape, generator=generator).to(clean)
        times = draw_timesteps(count, len(prior.schedule.signal), generator)
        which = drop_prompts(
            torch.from_numpy(labels[rows.numpy()]), len(prompts), settings.null_share, generator
        )
        signal, amount = (part.to(clean) for part in amplitudes(prior.schedule, times))
        noised = add_noise(clean, eps, signal, amount)
        given = {name: values[which.to(values.device)] for name, values in conditioning.items()}
        half = torch.bfloat16 if prior.precision == "bfloat16" else None
        with torch.autocast(prior.device.type, half, enabled=half is not None):
            output = prior.predict_with_gradients(noised, times, given)
        return functional.mse_loss(output, target(clean, eps, signal, amount))

    yield from train_part(
        Job(
            name="lora",
            steps=max(1, settings.images // settings.batch_size),
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            modules={"lora": parameters},
            trained=parameters,
            loss=loss,
            after_step=_nothing,
            folder=work,
            identity=training.identity,
            seed=settings.seed,
            checkpoint_s=settings.checkpoint_s,
            accumulate=settings.accumulate,
        )
    )


def save_lora(prior: PipelinePrior, out: Path) -> Path:
    """Save the added matrices as diffusers does, for `--lora`; returns the file."""
    from peft import get_peft_model_state_dict

    layers = get_peft_model_state_dict(network_of(prior))
    with storage_errors(out), quiet():
        prior.diffusers_pipeline.save_lora_weights(
            out / WORK, **{f"{prior.network}_lora_layers": layers}, safe_serialization=True
        )
        return (out / WORK / LORA_FILE).replace(out / LORA_FILE)


def _store_latents(prior: PipelinePrior, training: LoraTraining) -> Iterator[Event]:
    """Encode every image once; unreadable ones are reported and left out."""
    work, refs = training.out / WORK, training.refs
    if (work / LABELS).exists():
        return
    views: tuple[Literal[1, -1], ...] = (1, -1) if training.settings.flip else (1,)
    store = _LatentStore(work, len(refs), len(views))
    yield Started("encode", len(refs), "images")
    with storage_errors(work), ThreadPoolExecutor(2) as pool:
        read = partial(_proxy, prior, training)
        for start in range(0, len(refs), ENCODE_BATCH):
            found = [*pool.map(read, refs[start : start + ENCODE_BATCH])]
            yield from (Skipped(ref, why) for ref, why in found if isinstance(why, str))
            readable = [(ref, one) for ref, one in found if not isinstance(one, str)]
            if readable:
                pixels = np.stack([one for _, one in readable])
                latents = [prior.encode(_seen(pixels, view)).cpu().numpy() for view in views]
                store.add(np.stack(latents, 1), [ref.class_index for ref, _ in readable])
            yield Progress(len(found))
        store.finish()


class _LatentStore:
    """Latents of images, each in all of its views, in one file; the labels mark it as complete."""

    def __init__(self, folder: Path, images: int, views: int) -> None:
        self._folder = folder
        self._partial = folder / "latents.partial.npy"
        self._sizes = images, views
        self._labels: list[int] = []
        self._store: NDArray[np.float16] | None = None

    def add(self, latents: NDArray[np.float32], labels: Sequence[int]) -> None:
        """Add the latents (B, views, C, h, w) of images with these labels."""
        if self._store is None:
            shape = *self._sizes, *latents.shape[2:]
            self._store = open_memmap(self._partial, "w+", np.float16, shape)
        start = len(self._labels)
        self._store[start : start + len(labels)] = latents
        self._labels += labels

    def finish(self) -> None:
        """Write both files; raises `SourceError` without any image."""
        if self._store is None:
            raise SourceError("no image of the source can be read: nothing to train on")
        kept = self._store[: len(self._labels)]
        np.save(self._folder / LATENTS, kept.reshape(-1, *kept.shape[2:]))
        self._partial.unlink()
        labels = np.asarray(self._labels, np.int64)
        np.save(self._folder / LABELS, np.repeat(labels, self._sizes[1]))


def _proxy(
    prior: PipelinePrior, training: LoraTraining, ref: ImageRef
) -> tuple[ImageRef, Pixels | str]:
    """Return an image as the prior sees it, or the reason why it cannot be read."""
    try:
        pixels = training.dataset.read(ref)
    except UnreadableImage as reason:
        return ref, str(reason)
    return ref, to_proxy(pixels, prior.resolution_px, training.settings.fit, 0).pixels


def _seen(pixels: Pixels, view: Literal[1, -1]) -> Pixels:
    """Return images (B, H, W, 3) as they are, or mirrored for -1."""
    return np.ascontiguousarray(pixels[:, :, ::view])


def _nothing() -> None:
    pass
