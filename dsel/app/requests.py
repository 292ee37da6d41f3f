"""Requests of the page: the envelope, and one model of parameters per method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dsel.analysis.finding import FindSort, Hit, Status
from dsel.analysis.layouts import OWN
from dsel.analysis.listing import MOST_ROWS, Keeping, Sort
from dsel.errors import SettingError

LARGEST: Final = 1e12
"""The largest number of a request, of either sign."""

MOST_TEXTS: Final = 1000
"""Texts in a list of a request, at most."""

MOST_CLASSES: Final = 25
"""Classes of one request, at most."""

MOST_IMAGES: Final = 100
"""Image files of one request, at most."""

MOST_SELECTED: Final = 100_000
"""Selected images of one request, at most; the length of a request limits them too."""

MOST_REPLACING: Final = 8
"""Images that could replace another one, of one request, at most: each takes a selection."""

MOST_NAMES: Final = 16
"""Names that one image is scored under, at most."""

LONGEST_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Expected:
    """The words of an error message for the values that a field accepts."""

    words: str


def _one_of(choices: Any) -> Expected:
    return Expected(f"one of {', '.join(get_args(choices))}")


def _is_even(values: list[float]) -> list[float]:
    if len(values) % 2:
        raise ValueError("an odd number of coordinates")
    return values


Text: TypeAlias = Annotated[str, Expected("a text")]
Whole: TypeAlias = Annotated[int, Expected("a whole number")]
Count: TypeAlias = Annotated[int, Field(ge=0), Expected("a whole number of at least 0")]
Rows: TypeAlias = Annotated[
    int, Field(ge=1, le=MOST_ROWS), Expected(f"a whole number between 1 and {MOST_ROWS}")
]
Finite: TypeAlias = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Number: TypeAlias = Annotated[Finite, Expected("a finite number")]
Flag: TypeAlias = Annotated[bool, Expected("true or false")]
Texts: TypeAlias = Annotated[list[str], Field(max_length=MOST_TEXTS), Expected("a list of texts")]
ClassNames: TypeAlias = Annotated[
    list[str], Field(max_length=MOST_CLASSES), Expected("a list of texts")
]
ImageIds: TypeAlias = Annotated[
    list[str], Field(max_length=MOST_IMAGES), Expected("a list of texts")
]
SelectedIds: TypeAlias = Annotated[
    list[str], Field(max_length=MOST_SELECTED), Expected("a list of texts")
]
Replacing: TypeAlias = Annotated[
    list[str], Field(max_length=MOST_REPLACING), Expected("a list of texts")
]
Names: TypeAlias = Annotated[list[str], Field(max_length=MOST_NAMES), Expected("a list of texts")]
Values: TypeAlias = Annotated[dict[str, Any], Expected("an object of values by name")]
Coordinates: TypeAlias = Annotated[
    list[Finite], Field(max_length=2 * MOST_TEXTS), AfterValidator(_is_even)
]
Polygon: TypeAlias = Annotated[Coordinates | None, Expected("a list of x and y")]
"""Corners, x and y in turn."""

ImageKind: TypeAlias = Literal["proxy", "thumbnail"]
SourceKind: TypeAlias = Literal["zip", "folder", "picture", "toybox"]


class Params(BaseModel):
    """The parameters of a method: none of their own in this base."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Request(Params):
    """What the page sends: a method, the token of a run, the query of a view, and parameters."""

    method: Text
    run: Text = ""
    view: Text = ""
    params: Values = Field(default_factory=dict)


P = TypeVar("P", bound=Params)


def parsed(model: type[P], values: Mapping[str, Any]) -> P:
    """Check values against a model; raises `SettingError` for the first that does not fit."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _setting_error(model, values, error) from error


def _setting_error(
    model: type[Params], values: Mapping[str, Any], error: ValidationError
) -> SettingError:
    """Return the first problem as one line, such as "rows must be a whole number, got 'x'"."""
    problem = error.errors(include_url=False)[0]
    model, name = _field(model, *map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none"
        line = f"unknown parameter {_shown(name)}; known are: {known}"
    elif problem["type"] == "too_long":
        most, length = (problem["ctx"][key] for key in ("max_length", "actual_length"))
        line = f"{name} must have at most {most} entries, got {length}"
    else:
        value = _value(values, problem["loc"])
        line = f"{name} must be {_expected(model, name)}, got {_shown(value)}"
    return SettingError(line, param=name[:LONGEST_SHOWN])


def _field(model: type[Params], name: str, *rest: str) -> tuple[type[Params], str]:
    """Return the model and the name of the field at a location, also of a nested model."""
    field = model.model_fields.get(name)
    inner = field.annotation if field else None
    if rest and isinstance(inner, type) and issubclass(inner, Params):
        return _field(inner, *rest)
    return model, name


def _value(values: Any, location: Sequence[int | str]) -> Any:
    """Return the value at a location, None for a missing one, and the whole of a list."""
    for key in location:
        if isinstance(key, int) or not isinstance(values, Mapping):
            break
        values = values.get(key)
    return values


def _expected(model: type[Params], name: str) -> str:
    notes = (note for note in model.model_fields[name].metadata if isinstance(note, Expected))
    return next(notes).words


def _shown(value: Any) -> str:
    return f"{value!r:.{LONGEST_SHOWN}}"


class PatchesParams(Params):
    """Of the public function: a page of a class's patches; link: a link, or the query of a view."""

    class_name: Text
    link: Text = ""
    page: Whole = 1


class RunLinkParams(Params):
    """Of the public function that only needs a run; link as above."""

    link: Text = ""


class ImageParams(Params):
    """Of the public functions: an image of a class."""

    class_name: Text
    image_id: Text
    link: Text = ""


class Seeded(Params):
    """seed: of random patches, or of a baseline."""

    seed: Whole = 0


class LinkParams(Params):
    """link: the query of a link to the page, which may contain what the run does not have."""

    link: Text = ""


class BaselineParams(Seeded):
    """name: of the baseline that selects."""

    name: Text = "random-whole"


class LayoutParams(Params):
    """layout: the name of a layout of the plane."""

    layout: Text = OWN


class LassoParams(LayoutParams):
    """polygon: in the plane of the layout."""

    polygon: Polygon = None


class GalleryParams(LassoParams):
    """A page of patches, as in `Listing`; with a polygon, of the images inside it.

    ids: of selected images; only these are listed.
    """

    ids: SelectedIds | None = None
    sort: Annotated[Sort, _one_of(Sort)] = "rank"
    backwards: Flag = False
    cluster: Whole = -1
    page: Whole = 0
    rows: Rows = MOST_ROWS
    holding: Text = ""


Limit: TypeAlias = Annotated[Finite | None, Expected("a finite number, or null for no limit")]


class FilterParams(Params):
    """Which images of the run to find, as in `Filter`; classes and looks are names of classes.

    looks: * for any other class, empty for all images.
    """

    text: Text = ""
    classes: Texts = Field(default_factory=list)
    status: Annotated[Status, _one_of(Status)] = "scored"
    score_min: Limit = None
    score_max: Limit = None
    margin_min: Limit = None
    margin_max: Limit = None
    error_min: Limit = None
    error_max: Limit = None
    hit: Annotated[Hit, _one_of(Hit)] = "any"
    near_duplicates: Flag = False
    looks: Text = ""


class FindParams(FilterParams):
    """A page of what a filter finds, as in `Order`."""

    sort: Annotated[FindSort, _one_of(FindSort)] = "score"
    backwards: Flag = False
    page: Whole = 0
    rows: Rows = 60


class PageParams(Params):
    """page: counts from 0."""

    page: Whole = 0


class ImagesParams(Params):
    """Stored image files of the class."""

    kind: Annotated[ImageKind, _one_of(ImageKind)] = "thumbnail"
    ids: ImageIds = Field(default_factory=list)


class IdsParams(Params):
    """ids: of images of the view's class that could replace its image."""

    ids: Replacing = Field(default_factory=list)


class SelectedParams(Params):
    """ids: of selected images of any classes."""

    ids: SelectedIds = Field(default_factory=list)


class SliceParams(Params):
    """name: of a slice of the run."""

    name: Text


class SavedSliceParams(SliceParams):
    """ids: of the images of the slice."""

    ids: SelectedIds


class NthParams(Params):
    """nth: of the image's patches by rank, from 0."""

    nth: Count = 0


class PixelParams(Params):
    """A pixel of the image's proxy."""

    x: Number
    y: Number


class ClassesParams(Params):
    """classes: their names; the view's class if there are none."""

    classes: ClassNames = Field(default_factory=list)


class SomeClassesParams(Params):
    """classes: their names; the response says how many of them it is about."""

    classes: Texts = Field(default_factory=list)


class CompareParams(Params):
    """A page of changes, as in `Changing`."""

    cluster_a: Whole = -1
    cluster_b: Whole = -1
    keeping: Annotated[Keeping, _one_of(Keeping)] = "any"
    backwards: Flag = False
    page: Whole = 0
    rows: Rows = 60


class SourceParams(Params):
    """A source to score: an uploaded file, a folder of this machine, or toybox.

    class_names: several names for one image, in place of class_name.
    """

    kind: Annotated[SourceKind, _one_of(SourceKind)]
    path: Text = ""
    class_name: Text = ""
    class_names: Names = Field(default_factory=list)


class ScoreParams(Params):
    """A score job: its source, the settings of three forms, and its workers."""

    source: Annotated[SourceParams, Expected("an object of values by name")]
    source_settings: Values = Field(default_factory=dict)
    prior: Values = Field(default_factory=dict)
    score: Values = Field(default_factory=dict)
    workers: Annotated[int, Field(ge=0, le=1024), Expected("a whole number up to 1024")] = 0


class ContentsParams(Params):
    """What a score job would read: its source, and the settings of two forms."""

    source: Annotated[SourceParams, Expected("an object of values by name")]
    source_settings: Values = Field(default_factory=dict)
    score: Values = Field(default_factory=dict)


class EvaluateParams(Params):
    """An evaluation: held-out images, the settings of two forms, and a teacher."""

    source: Annotated[SourceParams, Expected("an object of values by name")]
    source_settings: Values = Field(default_factory=dict)
    evaluate: Values = Field(default_factory=dict)
    teacher: Text = ""


class AdviseParams(Params):
    """Advice: validation images, and the settings of three forms."""

    source: Annotated[SourceParams, Expected("an object of values by name")]
    source_settings: Values = Field(default_factory=dict)
    student: Values = Field(default_factory=dict)
    advise: Values = Field(default_factory=dict)
    teacher: Text = ""


class TokenParams(Params):
    """token: of a job."""

    token: Text


class RenameParams(TokenParams):
    """title: the new one."""

    title: Text


class TokensParams(Params):
    """tokens: of jobs, which may have been removed."""

    tokens: Texts = Field(default_factory=list)
