"""The settings of each stage: declared once, with default, help and range.

Flags, widgets, the manifest and the documentation derive from these classes. A field's annotation
carries its help (`Doc`) and, for numbers, its range (`Range`); `Literal` types carry the choices.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from typing_extensions import Doc

from dsel.errors import SettingError


@dataclass(frozen=True, slots=True)
class Range:
    """The inclusive range of a number, or of each number of a tuple; None is unbounded."""

    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.high is None:
            return f"at least {self.low}"
        if self.low is None:
            return f"at most {self.high}"
        return f"between {self.low} and {self.high}"

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the range."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class _Speed:
    """Marks a field that changes how fast a result comes, not what it means.

    The last bits of a sum may differ between devices, batch sizes and numbers of threads.
    """


SPEED = _Speed()
S = TypeVar("S", bound="Settings")


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings class as faces see it."""

    name: str
    kind: Any
    default: Any
    help: str
    range: Range | None
    choices: tuple[Any, ...]
    names_result: bool


class Settings:
    """Base of the settings classes: checks every field against its declaration."""

    def __post_init__(self) -> None:
        """Raise `SettingError` naming the first field that is out of its range."""
        for setting in settings_of(type(self)).values():
            _check(setting, getattr(self, setting.name))


def settings_of(kind: type) -> MappingProxyType[str, Setting]:
    """The declared settings of a class by field name, in order."""
    return _declared(kind)


def result_settings(settings: Settings) -> dict[str, Any]:
    """The fields that name the result, by name; those that only change the speed are left out."""
    kept = {s.name for s in settings_of(type(settings)).values() if s.names_result}
    return {k: v for k, v in asdict(settings).items() if k in kept}  # type: ignore[call-overload]


def fingerprint(*parts: Any) -> str:
    """Name a result: 16 hex digits of the SHA-256 of everything that it follows from.

    Settings count with the fields that name the result, so speed settings leave it unchanged.
    """
    text = json.dumps([_plain(part) for part in parts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _declared(kind: Hashable) -> MappingProxyType[str, Setting]:
    hints = get_type_hints(kind, include_extras=True)
    declared = fields(kind)  # type: ignore[arg-type]
    return MappingProxyType({f.name: _setting(f, hints[f.name]) for f in declared})


def restore(kind: type[S], plain: Mapping[str, Any]) -> S:
    """Settings from plain values, as JSON gives them back."""
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()})


def _setting(field: Any, hint: Any) -> Setting:
    kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    texts = [note.documentation for note in notes if isinstance(note, Doc)]
    ranges = [note for note in notes if isinstance(note, Range)]
    return Setting(
        name=field.name,
        kind=kind,
        default=field.default,
        help=texts[0] if texts else "",
        range=ranges[0] if ranges else None,
        choices=get_args(kind) if get_origin(kind) is Literal else (),
        names_result=SPEED not in notes,
    )


def _check(setting: Setting, value: Any) -> None:
    label = setting.name.replace("_", " ").replace(" px", " (px)")
    if setting.choices and value not in setting.choices:
        known = ", ".join(map(str, setting.choices))
        raise SettingError(f"{label} must be one of {known}, got {value!r}")
    if setting.range is not None:
        for number in _numbers(value):
            if not setting.range.holds(number):
                raise SettingError(f"{label} must be {setting.range}, got {number}")


def _numbers(value: Any) -> Iterator[float]:
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(part, int | float):
            yield part


def _check_template(template: str) -> None:
    if "{class}" not in template:
        raise SettingError(f"template must contain {{class}}, got {template!r}")


def _plain(part: Any) -> Any:
    return result_settings(part) if isinstance(part, Settings) else part


@dataclass(frozen=True, kw_only=True)
class SourceSettings(Settings):
    """Which pictures of a source are used."""

    split: Annotated[
        str, Doc("split folder below SOURCE, such as train; empty finds it when there is one")
    ] = ""
    classes: Annotated[tuple[str, ...], Doc("use only these classes; empty uses all of them")] = ()
    per_class: Annotated[
        int, Doc("use at most this many images of each class; 0 uses all (toybox: 100)"), Range(0)
    ] = 0
    scene_seed: Annotated[int, Doc("seed of the toybox scenes"), Range(0, 2**31 - 1)] = 0


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(Settings):
    """How the prior looks at each image."""

    timesteps: Annotated[
        tuple[int, ...], Doc("timesteps at which noise is predicted"), Range(0, 999)
    ] = (200, 300, 400, 500, 600, 700)
    draws: Annotated[int, Doc("noise samples per timestep"), Range(1, 1024)] = 4
    antithetic: Annotated[bool, Doc("draw noise in pairs of a sample and its negative")] = True
    template: Annotated[
        str, Doc("prompt that names the class; {class} is replaced by its name")
    ] = "An image of {class}."
    null: Annotated[
        Literal["template", "empty"],
        Doc("null prompt: the template with an empty slot, or the empty string"),
    ] = "template"
    fit: Annotated[
        Literal["crop", "squash"],
        Doc("make a picture square by its centre crop, or by squashing the whole of it"),
    ] = "crop"
    min_side_px: Annotated[
        int, Doc("skip images whose shorter side is smaller than this"), Range(1, 4096)
    ] = 16
    noise_seed: Annotated[int, Doc("seed of all noise"), Range(0, 2**31 - 1)] = 0
    feature_timestep: Annotated[
        int, Doc("timestep at which the diffusion features are read"), Range(0, 999)
    ] = 161
    feature_grid: Annotated[
        int, Doc("features are stored on a grid of this many positions a side"), Range(1, 64)
    ] = 8
    feature_dim: Annotated[
        int, Doc("dimensions of a stored feature, after a random projection"), Range(2, 4096)
    ] = 64
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Doc("arithmetic inside the prior; auto takes the fastest that the processor supports"),
    ] = "auto"
    device: Annotated[
        str, SPEED, Doc("cpu, cuda, cuda:1, mps ...; auto takes an accelerator if there is one")
    ] = "auto"
    shard_size: Annotated[
        int, Doc("images per shard, the unit of work and of resume"), Range(1, 100_000)
    ] = 256
    rows_per_call: Annotated[
        int, SPEED, Doc("most noised latents of one image in one call of the prior"), Range(2, 8192)
    ] = 64
    decoders: Annotated[
        int, SPEED, Doc("threads that decode pictures ahead of the prior"), Range(1, 256)
    ] = 2

    def __post_init__(self) -> None:
        """Check ranges, and what holds between fields."""
        super().__post_init__()
        if not self.timesteps or len(set(self.timesteps)) != len(self.timesteps):
            raise SettingError(f"timesteps must be different numbers, got {list(self.timesteps)}")
        if self.antithetic and self.draws % 2:
            raise SettingError(
                f"draws must be even with antithetic pairs, got {self.draws}; "
                "use an even number or turn antithetic off"
            )
        _check_template(self.template)

    def prompt(self, class_name: str) -> str:
        """The conditional prompt of a class."""
        return self.template.replace("{class}", class_name)

    def null_prompt(self) -> str:
        """The unconditional prompt."""
        return "" if self.null == "empty" else self.template.replace("{class}", "")


@dataclass(frozen=True, kw_only=True)
class SelectSettings(Settings):
    """Which patches are cut, and which of them stay."""

    patch_px: Annotated[
        int,
        Doc("side of the patch, in pixels of the picture as the prior saw it; 0 is half"),
        Range(0, 8192),
    ] = 0
    stride_px: Annotated[
        int, Doc("step between candidate boxes; 0 is one cell of the prior"), Range(0, 8192)
    ] = 0
    per_image: Annotated[int, Doc("patches per image, not overlapping"), Range(1, 64)] = 1
    timesteps: Annotated[
        tuple[int, ...], Doc("scored timesteps that count; empty counts all of them"), Range(0, 999)
    ] = ()
    gap: Annotated[
        Literal["positive", "signed"],
        Doc(
            "count only cells where naming the class helps (positive), or let those where it "
            "misleads cancel them (signed)"
        ),
    ] = "positive"
    groups: Annotated[
        int, Doc("k-means groups per class (k); 0 takes as many as IPC"), Range(0, 10_000)
    ] = 0
    ipc: Annotated[int, Doc("images per class in the distilled set"), Range(1, 100_000)] = 10
    within: Annotated[
        Literal["score", "centroid"],
        Doc("order inside a group: highest score first, or nearest to the centroid first"),
    ] = "score"
    across: Annotated[
        Literal["round-robin", "pooled"],
        Doc("order over groups: one of each group in turn, or all pooled regardless of group"),
    ] = "round-robin"
    factor: Annotated[
        int,
        Doc("patches per side of a distilled image: 1 is one patch, 2 a 2 x 2 mosaic"),
        Range(1, 8),
    ] = 1
    group_seed: Annotated[int, Doc("seed of k-means"), Range(0, 2**31 - 1)] = 0

    @property
    def k(self) -> int:
        """The number of groups asked for per class."""
        return self.groups or self.ipc


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Settings):
    """How the distilled set is written."""

    image_px: Annotated[
        int, Doc("side of a distilled image; 0 is the prior's resolution"), Range(0, 8192)
    ] = 0
    file_format: Annotated[Literal["png", "jpeg"], Doc("file format of the images")] = "png"
    pixels: Annotated[
        Literal["auto", "source", "proxy"],
        Doc(
            "cut from the source's own pixels, or from the run's proxies; "
            "auto takes the source if it is there"
        ),
    ] = "auto"


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """How a small prior is trained from scratch."""

    resolution_px: Annotated[
        int, Doc("side of the pictures that the prior sees"), Range(16, 512)
    ] = 128
    cells: Annotated[int, Doc("latent cells per side"), Range(4, 64)] = 16
    latent_channels: Annotated[int, Doc("channels of a latent"), Range(1, 64)] = 8
    widths: Annotated[tuple[int, ...], Doc("channels of the U-Net's levels"), Range(16, 2048)] = (
        64,
        96,
        160,
    )
    autoencoder_images: Annotated[
        int, Doc("images seen while the autoencoder is trained"), Range(1)
    ] = 20_000
    images: Annotated[
        int, Doc("images seen while the U-Net and text encoder are trained"), Range(1)
    ] = 200_000
    batch_size: Annotated[int, Doc("images per training step"), Range(1, 65_536)] = 64
    learning_rate: Annotated[float, Doc("peak learning rate of the U-Net"), Range(1e-7, 1.0)] = 5e-4
    null_share: Annotated[
        float, Doc("share of the images trained with a null prompt"), Range(0.0, 0.9)
    ] = 0.2
    ema_decay: Annotated[
        float, Doc("decay of the moving average of the weights"), Range(0.0, 0.99999)
    ] = 0.999
    template: Annotated[
        str, Doc("prompt that names the class; {class} is replaced by its name")
    ] = "An image of {class}."
    fit: Annotated[
        Literal["crop", "squash"],
        Doc("make a picture square by its centre crop, or by squashing the whole of it"),
    ] = "crop"
    flip: Annotated[bool, Doc("train on mirrored pictures too")] = True
    seed: Annotated[int, Doc("seed of weights, batches and noise"), Range(0, 2**31 - 1)] = 0
    checkpoint_s: Annotated[int, SPEED, Doc("seconds between checkpoints"), Range(1)] = 120
    threads: Annotated[int, SPEED, Doc("processor threads; 0 takes all"), Range(0, 1024)] = 0

    def __post_init__(self) -> None:
        """Check ranges, and what holds between fields."""
        super().__post_init__()
        _check_template(self.template)
        cell_px, rest = divmod(self.resolution_px, self.cells)
        if rest or cell_px & (cell_px - 1):
            raise SettingError(
                f"resolution px must be cells times a power of two, got {self.resolution_px} px "
                f"with {self.cells} cells; {self.cells * 8} would be right"
            )
        if len(self.widths) < 2 or any(width % 16 for width in self.widths):
            raise SettingError(
                f"widths must be two or more multiples of 16, got {list(self.widths)}; "
                "64 96 160 would be right"
            )

    @property
    def cell_px(self) -> int:
        """Image pixels per latent cell."""
        return self.resolution_px // self.cells
