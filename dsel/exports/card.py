"""The card of a dataset on the Hugging Face Hub: README.md with YAML that describes the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dsel.exports.base import Export
from dsel.exports.readme import mosaics
from dsel.runs.evaluations import Evaluation
from dsel.runs.schema import PATCHES

PREVIEW: Final = "preview.webp"
SIZES: Final = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)  # fmt: skip
"""The Hub's names of sizes, and the number of rows below which each holds."""

TEMPLATE: Final = """\
# A distilled set

{images} of {image_px} x {image_px} px in {classes} classes, {budget}, selected from `{source}` with
dsel {version}.

![The first images of some classes]({preview})

```python
from datasets import load_dataset

images = load_dataset("OUT", split="train")               # image, label{soft}
patches = load_dataset("OUT", "patches", split="train")   # why each patch was chosen
```

`OUT` is this folder, or the name of the dataset on the Hub. `manifest.json` has the settings and the source of every
pixel.
{mosaics}
## Method

A diffusion model, `{prior}`, predicts the noise in an image with the class named and without. Where naming the class
lowers the loss, the image shows the class. The box with the largest mean gap is the patch; the patches of each class
are clustered and ranked, and the best ones are cut from the images. This builds on DDPS
([arXiv 2412.09959](https://arxiv.org/abs/2412.09959)).

The config `patches` has a row per ranked patch, exported or not: its image, its box in the image as the prior saw it
(`x` to `height`), in the source (`source_x` to `source_height`) and as it was cut (`cut_x` to `cut_height`), its
scores, cluster and rank, and the row of `default` that shows it (`image`) with its tile there.
{figures}
## Terms

The images are parts of the source, whose terms hold for them.
"""  # noqa: E501

FIGURES: Final = """
## Students trained on the set

{model} at {px} px, {recipe}; test accuracy in percent on {images} images of `{test}`, mean and standard deviation of {seeds}.

| set | images per class | accuracy |
|---|---|---|
{rows}
"""  # noqa: E501


def card(export: Export, images: int, patches: int) -> str:
    """Return the text of README.md for so many rows of both configs."""
    facts = export.facts
    text = TEMPLATE.format(
        images="Mosaics" if export.canvas.factor > 1 else "Images",
        image_px=export.canvas.image_px,
        classes=len(export.classes),
        budget=export.budget,
        source=_source(export),
        version=facts["dsel"],
        preview=PREVIEW,
        soft=", soft_label" if export.settings.teacher else "",
        prior=_name(facts["prior"]["name"]),
        mosaics=mosaics(export),
        figures=_figures(export.evaluation) if export.evaluation else "",
    )
    return f"---\n{_yaml(export, images, patches)}---\n\n{text}"


def _yaml(export: Export, images: int, patches: int) -> str:
    from huggingface_hub import DatasetCardData

    size = next((name for most, name in SIZES if images < most), "n>10M")
    return str(
        DatasetCardData(
            pretty_name="A distilled set",
            task_categories=["image-classification"],
            size_categories=[size],
            tags=["dataset-distillation", "dsel"],
            configs=[
                _config("default", "data") | {"default": True},
                _config("patches", "patches"),
            ],
            dataset_info=[
                _info("default", list(_image_features(export)), images),
                _info("patches", list(_patch_features()), patches),
            ],
        ).to_yaml()
        + "\n"
    )


def _config(name: str, folder: str) -> dict[str, Any]:
    files = [{"split": "train", "path": f"{folder}/train-*.parquet"}]
    return {"config_name": name, "data_files": files}


def _info(name: str, features: list[dict[str, Any]], rows: int) -> dict[str, Any]:
    return {
        "config_name": name,
        "features": features,
        "splits": [{"name": "train", "num_examples": rows}],
    }


def _image_features(export: Export) -> Iterator[dict[str, Any]]:
    names = {str(index): name for index, name in enumerate(export.classes)}
    yield {"name": "image", "dtype": "image"}
    yield {"name": "label", "dtype": {"class_label": {"names": names}}}
    if export.settings.teacher:
        yield {"name": "soft_label", "list": "float32", "length": len(export.classes)}


def _patch_features() -> Iterator[dict[str, Any]]:
    kinds: Mapping[str, str] = {"double": "float64"}
    for field in PATCHES:
        yield {"name": field.name, "dtype": kinds.get(str(field.type), str(field.type))}
    yield {"name": "image", "dtype": "int64"}
    for name in ("tile_x", "tile_y", "tile_width", "tile_height"):
        yield {"name": name, "dtype": "float64"}


def _figures(found: Evaluation) -> str:
    seeds = max((len(row.students) for row in found.rows), default=0)
    settings = found.settings
    return FIGURES.format(
        model=settings.student,
        px=next((row.student_px for row in found.rows), 0),
        recipe=f"{settings.recipe} recipe",
        images=found.test.images,
        test=_name(found.test.source),
        seeds=f"{seeds} student{'' if seeds == 1 else 's'}",
        rows="\n".join(
            f"| {row.name} | {row.ipc} | {_accuracy(row.mean, row.sd)} |" for row in found.rows
        ),
    )


def _accuracy(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return ""
    return f"{100 * mean:.1f}" + ("" if sd is None else f" ± {100 * sd:.1f}")


def _source(export: Export) -> str:
    return _name(str(export.facts["dataset"]["origin"].get("source", "")))


def _name(path: str) -> str:
    """Return the last part of a path, which may name its user; a Hub id is kept."""
    is_path = path.startswith(("/", ".", "~", "\\")) or "\\" in path or path.count("/") > 1
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] if is_path else path
