"""dsel: dataset distillation by selection with a pretrained diffusion model.

    run = dsel.score("photos/", "RUN", prior="demo", draws=4)
    selection = dsel.select(run, patch_px=32, ipc=10)
    dsel.export(selection, "OUT")

Names are imported on first use, so that `import dsel` loads no library.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dsel.api.evaluation import (
        advise,
        evaluate,
        iter_advise,
        iter_evaluate,
        iter_sweep,
        sweep,
    )
    from dsel.api.explained_names import explain
    from dsel.api.run import Run, open_run
    from dsel.api.selection import Selection
    from dsel.api.stages import (
        distill,
        export,
        iter_distill,
        iter_export,
        iter_score,
        iter_select,
        score,
        select,
    )
    from dsel.api.teaching import iter_teach, teach
    from dsel.api.verification import iter_verify, verify
    from dsel.config import (
        AdviseSettings,
        EvaluateSettings,
        ExportSettings,
        PriorSettings,
        ScoreSettings,
        SelectSettings,
        SourceSettings,
        StudentSettings,
        SweepSettings,
        TeachSettings,
    )
    from dsel.data import open_dataset
    from dsel.errors import (
        DselError,
        PriorError,
        RunError,
        SettingError,
        SourceError,
        StorageError,
        UnreadableImage,
    )
    from dsel.priors import load_prior
    from dsel.students.torch_dataset import torch_dataset

__version__ = "0.1.0"

_MODULES: Final = {
    "dsel.api.evaluation": (
        "advise", "evaluate", "iter_advise", "iter_evaluate", "iter_sweep", "sweep",
    ),
    "dsel.api.explained_names": ("explain",),
    "dsel.api.run": ("Run", "open_run"),
    "dsel.api.selection": ("Selection",),
    "dsel.api.stages": (
        "distill", "export", "iter_distill", "iter_export", "iter_score", "iter_select", "score",
        "select",
    ),
    "dsel.api.teaching": ("iter_teach", "teach"),
    "dsel.api.verification": ("iter_verify", "verify"),
    "dsel.config": (
        "AdviseSettings", "EvaluateSettings", "ExportSettings", "PriorSettings", "ScoreSettings",
        "SelectSettings", "SourceSettings", "StudentSettings", "SweepSettings", "TeachSettings",
    ),
    "dsel.data": ("open_dataset",),
    "dsel.errors": (
        "DselError", "PriorError", "RunError", "SettingError", "SourceError", "StorageError",
        "UnreadableImage",
    ),
    "dsel.priors": ("load_prior",),
    "dsel.students.torch_dataset": ("torch_dataset",),
}  # fmt: skip
_HOME: Final = MappingProxyType(
    {name: module for module, names in _MODULES.items() for name in names}
)

__all__ = [
    "AdviseSettings",
    "DselError",
    "EvaluateSettings",
    "ExportSettings",
    "PriorError",
    "PriorSettings",
    "Run",
    "RunError",
    "ScoreSettings",
    "SelectSettings",
    "Selection",
    "SettingError",
    "SourceError",
    "SourceSettings",
    "StorageError",
    "StudentSettings",
    "SweepSettings",
    "TeachSettings",
    "UnreadableImage",
    "advise",
    "distill",
    "evaluate",
    "explain",
    "export",
    "iter_advise",
    "iter_distill",
    "iter_evaluate",
    "iter_export",
    "iter_score",
    "iter_select",
    "iter_sweep",
    "iter_teach",
    "iter_verify",
    "load_prior",
    "open_dataset",
    "open_run",
    "score",
    "select",
    "sweep",
    "teach",
    "torch_dataset",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dsel' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
