"""The records that flow between the stages, and the protocols of datasets and priors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.contents import Contents, Structure
from dsel.patches import Box as Box
from dsel.patches import ClassImages as ClassImages
from dsel.patches import ClassSelection as ClassSelection
from dsel.patches import Frame as Frame
from dsel.patches import Frames as Frames
from dsel.patches import Patch as Patch
from dsel.patches import Patches as Patches

if TYPE_CHECKING:
    import torch

Pixels: TypeAlias = NDArray[np.uint8]
"""An image: (height, width, 3), sRGB, 0 to 255."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One image of a dataset, not yet read. `id` is unique and the same on every machine."""

    id: str
    class_index: int


@dataclass(frozen=True, slots=True)
class Proxy:
    """The image as the prior sees it, (height, width, 3), and the region of its source it shows."""

    pixels: Pixels
    frame: Frame


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of one image.

    conditional: (T, h, w) float32, the denoising loss with the class named, per timestep and cell.
    gap: (T, h, w) float32, the unconditional loss minus the conditional one. difference: (T, h, w)
    float32, the squared difference of the two predictions. All are means over channels and draws.
    noise and difference_noise: (T, h, w), of the means of gap and difference over draws
    (`dsel.core.halves`); NaN if unknown. features: (g, g, d) float32, the mean over the first
    draws; None for further draws, which give none.
    """

    conditional: NDArray[np.float32]
    gap: NDArray[np.float32]
    difference: NDArray[np.float32]
    noise: NDArray[np.float32]
    difference_noise: NDArray[np.float32]
    features: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class DrawLosses:
    """What `Score` has the means of: the losses and gaps of each draw of B images.

    conditional, gap and difference: (B, T, D, h, w) float32, means over channels.
    """

    conditional: NDArray[np.float32]
    gap: NDArray[np.float32]
    difference: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Geometry:
    """What is needed to read a run's maps.

    timesteps: the T scored ones. losses: (T,), their mean conditional losses. cell_px: image pixels
    per latent cell. resolution_px: the proxies' shorter side.
    """

    timesteps: tuple[int, ...]
    losses: NDArray[np.float32]
    cell_px: int
    resolution_px: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """The images of a class whose proxies have one shape.

    rows: (n,), their rising indices in the class. The maps, see `Score`: (n, T, h, w). settled_gap
    and settled_noise: the gap that locates and its noise, None where those that score locate too:
    further draws that make a ranking steadier must not move boxes, see `dsel.runs.rounds`.
    """

    rows: NDArray[np.int64]
    conditional: NDArray[np.float16]
    gap: NDArray[np.float16]
    difference: NDArray[np.float16]
    noise: NDArray[np.float16]
    difference_noise: NDArray[np.float16]
    settled_gap: NDArray[np.float16] | None = None
    settled_noise: NDArray[np.float16] | None = None

    @property
    def locating_gap(self) -> NDArray[np.float16]:
        """The gap that locates."""
        return self.gap if self.settled_gap is None else self.settled_gap

    @property
    def locating_noise(self) -> NDArray[np.float16]:
        """The noise of the gap that locates."""
        return self.noise if self.settled_noise is None else self.settled_noise

    def settle(self) -> None:
        """Locate by the gap as it is now, whatever is averaged into the one that scores."""
        object.__setattr__(self, "settled_gap", self.gap.copy())
        object.__setattr__(self, "settled_noise", self.noise.copy())

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (getattr(self, one.name) for one in fields(Bucket))
        return sum(int(array.nbytes) for array in arrays if array is not None)

    def take(self, at: NDArray[np.int64] | slice) -> Bucket:
        """Return some of the images, by their positions in the bucket."""
        arrays = ((one.name, getattr(self, one.name)) for one in fields(Bucket))
        return Bucket(**{name: array[at] for name, array in arrays if array is not None})


@dataclass(frozen=True, slots=True)
class ClassScores:
    """All N scored images of one class, in dataset order; each is in one of the buckets.

    ids and frames: N each; any sequence of frames may be given. features: (N, g, g, d), a grid over
    the whole image, whatever its shape. draws: (N,), the draws per timestep that each image got.
    """

    name: str
    index: int
    ids: tuple[str, ...]
    frames: Frames
    buckets: tuple[Bucket, ...]
    features: NDArray[np.float16]
    draws: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", Frames.of(self.frames))

    @property
    def images(self) -> ClassImages:
        """The images without their scores."""
        return ClassImages(self.ids, self.frames)


@dataclass(frozen=True, slots=True)
class Tile:
    """One cut in a distilled image: box is in pixels of that image.

    native_px: the side in pixels that the cut has when the shorter side of its whole picture fills
    the distilled image.
    """

    patch: Patch
    box: Box
    native_px: float


@dataclass(frozen=True, slots=True)
class Distilled:
    """One image of the distilled set, and its tiles, row by row."""

    class_index: int
    number: int
    pixels: Pixels
    tiles: tuple[Tile, ...]

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The patches of the tiles."""
        return tuple(tile.patch for tile in self.tiles)


@dataclass(frozen=True, slots=True)
class Started:
    """A stage begins; `total` counts `unit`s, of which an earlier try has finished `done`."""

    stage: str
    total: int
    unit: str
    done: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """`count` more units are done; `note` is a short figure to show, such as a loss."""

    count: int = 1
    note: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image that cannot be used, and the reason."""

    ref: ImageRef
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know; the stage continues."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """A stage has finished, with its figures."""

    stage: str
    figures: Mapping[str, float | int | str] = field(default_factory=dict)


Event: TypeAlias = Started | Progress | Skipped | Notice | Contents | Done


class Dataset(Protocol):
    """Labelled images. `fingerprint` changes with the images, their labels and the classes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, by class index."""

    @property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """All names of each class; the first of each is the one in `classes`."""

    @property
    def structure(self) -> Structure:
        """Which folders are the classes, and in which split."""

    @property
    def fingerprint(self) -> str:
        """A name of the content."""

    @property
    def origin(self) -> Mapping[str, str | int | Sequence[str]]:
        """How to open the same dataset again, as plain values for the run's manifest."""

    @property
    def refs(self) -> Sequence[ImageRef]:
        """All images, in an order that is the same on every machine."""

    def read(self, ref: ImageRef) -> Pixels:
        """Decode one image, upright, (height, width, 3); raise `UnreadableImage` with a reason."""

    def orientation(self, ref: ImageRef) -> int:
        """Return the EXIF orientation, 1 to 8, that `read` turned an image by; 1 is upright."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The noising of each timestep t: z_t = signal[t] z_0 + noise[t] eps.

    inputs[t] is the network's timestep input. (timesteps,) float32 each.
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
"""Encoded prompts or labels: named tensors, each with one row per prompt."""


class Prior(Protocol):
    """A pretrained diffusion model with its encoder and its conditioning."""

    @property
    def name(self) -> str:
        """The name that the user gave."""

    @property
    def fingerprint(self) -> str:
        """A name of the weights, and of everything else that changes the prior's outputs."""

    @property
    def origin(self) -> Mapping[str, str | int | bool]:
        """How to load the same prior again, as plain values for the run's manifest."""

    @property
    def resolution_px(self) -> int:
        """The shorter side of the images that it sees."""

    @property
    def cell_px(self) -> int:
        """Image pixels per latent cell."""

    @property
    def step_px(self) -> int:
        """Sides of its images are multiples of this; 0 if it sees squares only."""

    @property
    def weights(self) -> int:
        """The number of the network's weights."""

    @property
    def precision(self) -> str:
        """The network's arithmetic: float32, bfloat16 or float16."""

    @property
    def device(self) -> torch.device:
        """The device of its tensors."""

    @property
    def requested_backend(self) -> str:
        """The backend that the user asked for; auto leaves the choice open."""

    @property
    def backend_to_try(self) -> str:
        """The requested backend, or for auto the one that may be faster than torch here."""

    def use_backend(self, name: str) -> None:
        """Run the network with torch, compile or openvino; `PriorError` now or at its next call."""

    @property
    def prediction(self) -> str:
        """The kind of prediction; a name of `dsel.priors.losses.PREDICTIONS`."""

    @property
    def schedule(self) -> Schedule:
        """The noising of each timestep."""

    @property
    def reads(self) -> Literal["prompts", "labels"]:
        """The input of `embed`: whole prompts, or class names with "" for the null class."""

    def tokens(self, text: str) -> Sequence[tuple[Sequence[int], int]]:
        """Return each text encoder's tokens of a text, and how many it reads; none for labels."""

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts; raises `SettingError` for a name that is not a label of the prior."""

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
        """Run the network on noised latents (B, C, h, w), with B timesteps and B prompts.

        timesteps are indices of the schedule. tap (N,) are the rows whose inner activations are
        returned. Latents and outputs are float32 on `device`.
        """
