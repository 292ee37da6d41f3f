"""The README.md of an export: what the set is, and lines that train from it."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Final

from dsel.core.composing import tile_sides
from dsel.exports.base import Export

README: Final = "README.md"

TEMPLATE: Final = """\
# A distilled set

{images} of {image_px} x {image_px} px in {classes} classes, {budget}, selected with dsel {version}.

- `train/` has one folder of images per class, named as in the source; `classes.json` has the index, the name and the
  folder of each class.
- `patches.parquet` lists the ranked patches, and `manifest.json` has the settings and the source of every pixel.
{labels}{mosaics}
Train from it with dsel, where `OUT` is this folder:

```python
{with_dsel}
```

{note}The same without dsel:

```python
{without_dsel}
```

`torchvision.datasets.ImageFolder("OUT/train")` and `datasets.load_dataset("imagefolder", data_dir="OUT")` read the
folder, too. They number the classes by the sorted names of their folders, as they number held-out images in folders
of the same names.
"""  # noqa: E501

LABELS: Final = """\
- `labels.safetensors` has soft labels of a teacher, {teacher}: `dsel.torch_dataset("OUT", labels="soft")`{crops}.
"""  # noqa: E501

CROPS: Final = """, and with `labels="crops"` those of {crops} random crops of each"""

MOSAICS: Final = """
Each image is a mosaic of {factor} x {factor} tiles, and each tile is a training image of its own:
unpack them, since a model that is trained on whole mosaics learns objects that are too small.
"""

NATIVE: Final = """
The tiles keep the scale of their source, and repeat their edge pixels where a cut is smaller than
its tile. `torch_dataset` keeps that scale at full size, with `native_px` in `manifest.json`.
"""

WITH_DSEL: Final = """\
import dsel, torch
loader = torch.utils.data.DataLoader(dsel.torch_dataset("OUT"), batch_size=64, shuffle=True)
for images, labels in loader: loss = torch.nn.functional.cross_entropy(model(images), labels)"""

SINGLE: Final = """\
from pathlib import Path; from PIL import Image
files = sorted(Path("OUT/train").glob("*/*"))
images = [(Image.open(file), file.parent.name) for file in files]"""

TILES: Final = """\
from pathlib import Path; from PIL import Image
files, spans = sorted(Path("OUT/train").glob("*/*")), {spans}
tiles = [(Image.open(file).crop((x, y, right, bottom)).resize(({image_px}, {image_px})), file.parent.name)
         for file in files for y, bottom in spans for x, right in spans]"""  # noqa: E501


def readme(export: Export) -> str:
    """Return the text of README.md."""
    factor, side = export.canvas.factor, export.canvas.image_px
    spans = tuple(pairwise(accumulate(tile_sides(side, factor), initial=0)))
    tiles = TILES.format(spans=spans, image_px=side)
    return TEMPLATE.format(
        images="Mosaics" if factor > 1 else "Images",
        image_px=side,
        classes=len(export.classes),
        budget=export.budget,
        version=export.facts["dsel"],
        labels=_labels(export) if export.settings.teacher else "",
        mosaics=mosaics(export),
        with_dsel=WITH_DSEL,
        note="`torch_dataset` unpacks the tiles. " if factor > 1 else "",
        without_dsel=tiles if factor > 1 else SINGLE,
    )


OTHER: Final = """\
# A distilled set

{images} of {image_px} x {image_px} px in {classes} classes, {budget}, selected with dsel {version},
for {purpose}. `manifest.json` has the settings and the source of every pixel.
{mosaics}
{lines}"""

LAYOUT: Final = """\
```python
from pathlib import Path; from PIL import Image
folders = sorted(path for path in Path("OUT").iterdir() if path.is_dir())  # one per class
images = [(Image.open(file), label) for label, folder in enumerate(folders) for file in folder.iterdir()]
```

`classes.json` has the index and the name of each class, and the name of its folder in the source.
"""  # noqa: E501


def layout_readme(export: Export, purpose: str) -> str:
    """Return the README.md of class folders that other code reads."""
    return other_readme(export, purpose, LAYOUT)


def other_readme(export: Export, purpose: str, lines: str) -> str:
    """Return the README.md of a format; lines: what loads it."""
    factor = export.canvas.factor
    return OTHER.format(
        images="Mosaics" if factor > 1 else "Images",
        image_px=export.canvas.image_px,
        classes=len(export.classes),
        budget=export.budget,
        version=export.facts["dsel"],
        purpose=purpose,
        mosaics=mosaics(export),
        lines=lines,
    )


def mosaics(export: Export) -> str:
    """Return what to know of mosaics; empty for single images."""
    if export.canvas.factor == 1:
        return ""
    native = NATIVE if export.canvas.tile_scale == "native" else ""
    return MOSAICS.format(factor=export.canvas.factor) + native


def _labels(export: Export) -> str:
    settings = export.settings
    crops = CROPS.format(crops=settings.label_crops) if settings.label_crops else ""
    return LABELS.format(teacher=settings.teacher, crops=crops)
