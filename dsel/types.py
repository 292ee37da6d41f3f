"""What flows between the stages, and what a dataset and a prior must offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Pixels: TypeAlias = NDArray[np.uint8]
"""A picture: (height, width, 3), sRGB, 0 to 255."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One image of a dataset, not yet read. `id` is unique and the same on every machine."""

    id: str
    class_index: int


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; (x, y) is its top left corner. Fractions are allowed."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Frame:
    """What the proxy shows of its source: the region `view` of a source of this size, upright."""

    source_width: int
    source_height: int
    view: Box
    proxy_width: int
    proxy_height: int

    def to_source(self, box: Box) -> Box:
        """Map a box from proxy pixels to source pixels."""
        sx, sy = self.view.width / self.proxy_width, self.view.height / self.proxy_height
        return Box(
            self.view.x + box.x * sx, self.view.y + box.y * sy, box.width * sx, box.height * sy
        )

    def to_proxy(self, box: Box) -> Box:
        """Map a box from source pixels to proxy pixels; it may reach beyond the proxy."""
        sx, sy = self.proxy_width / self.view.width, self.proxy_height / self.view.height
        x, y = (box.x - self.view.x) * sx, (box.y - self.view.y) * sy
        return Box(x, y, box.width * sx, box.height * sy)


@dataclass(frozen=True, slots=True)
class Proxy:
    """The picture as the prior sees it, (height, width, 3), and its place in its source."""

    pixels: Pixels
    frame: Frame


@dataclass(frozen=True, slots=True)
class Score:
    """What the prior says of one image.

    conditional and gap: (T, h, w) float32, per timestep and cell, means over draws and channels.
    features: (g, g, d) float32, the mean over draws too. refined: further draws are among them.
    """

    conditional: NDArray[np.float32]
    gap: NDArray[np.float32]
    features: NDArray[np.float32]
    refined: bool = False


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a run's maps are read: scored timesteps, their losses (T,), cell size, shorter side."""

    timesteps: tuple[int, ...]
    losses: NDArray[np.float32]
    cell_px: int
    resolution_px: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """The images of a class whose proxies have one shape.

    rows: (n,) their places in the class. conditional and gap: (n, T, h, w).
    """

    rows: NDArray[np.int64]
    conditional: NDArray[np.float16]
    gap: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """All N scored images of one class, in dataset order; each lies in one of the buckets.

    features: (N, g, g, d), a grid over the whole picture, whatever its shape; frames, ids: N each.
    refined: (N,), the images that got further draws; none of them where all got as many.
    """

    name: str
    index: int
    ids: tuple[str, ...]
    frames: tuple[Frame, ...]
    buckets: tuple[Bucket, ...]
    features: NDArray[np.float16]
    refined: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch and its whole explanation.

    box is in proxy pixels, source_box in pixels of the upright source. score is the mean of the
    combined gap inside the box, margin its lead over the best box that does not overlap it.
    distance is to the centroid of its cluster, in feature space. rank counts from 0 in its class.
    """

    image_id: str
    class_index: int
    box: Box
    source_box: Box
    score: float
    margin: float
    cluster: int
    distance: float
    rank: int


@dataclass(frozen=True, slots=True)
class ClassSelection:
    """The ranked patches of one class: taking the head of `patches` serves every IPC.

    images lists, per distilled image, the positions in `patches` that make it (factor squared).
    """

    name: str
    index: int
    patches: tuple[Patch, ...]
    images: tuple[tuple[int, ...], ...]

    def kept(self, ipc: int) -> dict[int, tuple[int, ...]]:
        """Which patches the first `ipc` images are made of: their ranks, with those images."""
        found: dict[int, tuple[int, ...]] = {}
        for number, image in enumerate(self.images[:ipc]):
            for rank in set(image):
                found[rank] = (*found.get(rank, ()), number)
        return found


@dataclass(frozen=True, slots=True)
class Distilled:
    """One image of the distilled set, and the patches that its pixels come from, row by row."""

    class_index: int
    number: int
    pixels: Pixels
    patches: tuple[Patch, ...]


@dataclass(frozen=True, slots=True)
class Started:
    """A stage begins; `total` counts `unit`s, and `done` of them are there from an earlier try."""

    stage: str
    total: int
    unit: str
    done: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """`count` more units are done; `note` is a short figure worth showing."""

    count: int = 1
    note: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image that cannot be used, and why."""

    ref: ImageRef
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know, though the job goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """A stage has ended, with its figures."""

    stage: str
    figures: Mapping[str, float | int | str] = field(default_factory=dict)


Event: TypeAlias = Started | Progress | Skipped | Notice | Done


class Dataset(Protocol):
    """Labelled pictures. `fingerprint` changes with the images, their labels and the classes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names; a class index points here."""

    @property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """All names of each class; the first of each is the one in `classes`."""

    @property
    def fingerprint(self) -> str:
        """Names the content."""

    @property
    def origin(self) -> Mapping[str, str | int | Sequence[str]]:
        """How to open the same dataset again, as plain values for the run's manifest."""

    @property
    def refs(self) -> Sequence[ImageRef]:
        """All images, in an order that is the same on every machine."""

    def read(self, ref: ImageRef) -> Pixels:
        """Decode one image, upright, (height, width, 3); raise `UnreadableImage` with a reason."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The noising of each timestep t: z_t = signal[t] z_0 + noise[t] eps.

    inputs[t] is what the network is told of t. (timesteps,) float32 each.
    """

    signal: torch.Tensor
    noise: torch.Tensor
    inputs: torch.Tensor


@dataclass(frozen=True, slots=True)
class Prediction:
    """The network's output (B, C, h, w), and inner activations (N, F, fh, fw) of tapped rows."""

    output: torch.Tensor
    features: torch.Tensor | None = None


Conditioning: TypeAlias = "Mapping[str, torch.Tensor]"
"""What a prior makes of prompts or labels: named tensors, one row per prompt in each of them."""


class Prior(Protocol):
    """A pretrained diffusion model with its encoder and its conditioning."""

    @property
    def name(self) -> str:
        """What the user called it."""

    @property
    def fingerprint(self) -> str:
        """Names the weights, and everything else about the prior that changes its answers."""

    @property
    def origin(self) -> Mapping[str, str | int | bool]:
        """How to load the same prior again, as plain values for the run's manifest."""

    @property
    def resolution_px(self) -> int:
        """The shorter side of the pictures that it sees."""

    @property
    def cell_px(self) -> int:
        """Image pixels per latent cell."""

    @property
    def step_px(self) -> int:
        """Sides of its pictures are multiples of this; 0 if it sees squares only."""

    @property
    def precision(self) -> str:
        """float32, bfloat16 or float16: the arithmetic inside."""

    @property
    def device(self) -> torch.device:
        """Where its tensors live."""

    @property
    def prediction(self) -> str:
        """What the network predicts; a name of `dsel.priors.losses.PREDICTIONS`."""

    @property
    def schedule(self) -> Schedule:
        """How each timestep is noised."""

    @property
    def reads(self) -> Literal["prompts", "labels"]:
        """What `embed` takes: whole prompts, or class names alone with "" for the null class."""

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts; raises `SettingError` for a class name that is no label of the prior."""

    def encode(self, pixels: Pixels) -> torch.Tensor:
        """Encode proxies (B, height, width, 3) to the means of their latents, (B, C, h, w)."""

    def predict(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        conditioning: Conditioning,
        *,
        tap: torch.Tensor | None = None,
    ) -> Prediction:
        """The network's answer to noised latents (B, C, h, w), with B timesteps and B prompts.

        timesteps are integers of the schedule. tap (N,) names the rows whose inner activations
        are wanted. Latents and outputs are float32 on `device`.
        """


class Featurizer(Protocol):
    """Describes pictures of patches, for clustering."""

    @property
    def fingerprint(self) -> str:
        """Names the model and how it is asked."""

    def describe(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Features of pictures of any sizes, (P, d)."""
