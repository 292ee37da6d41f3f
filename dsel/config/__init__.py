"""The settings of every stage: declared once, with default, help and range.

Flags, widgets, links, manifests and the documentation derive from these classes. A new setting is
one field of one class here; nothing else in this room knows what a setting is for.
"""

from __future__ import annotations

from dsel.config.adapt import AdaptSettings
from dsel.config.evaluate import EvaluateSettings, StudentSettings
from dsel.config.export import ExportSettings
from dsel.config.gather import GatherSettings
from dsel.config.launch import LaunchSettings, PlaceSettings
from dsel.config.prior import PriorSettings
from dsel.config.score import ScoreSettings
from dsel.config.select import SelectSettings
from dsel.config.source import SourceSettings
from dsel.config.sweep import AdviseSettings, SweepSettings
from dsel.config.teach import TeachSettings
from dsel.config.train import TrainSettings

__all__ = [
    "AdaptSettings",
    "AdviseSettings",
    "EvaluateSettings",
    "ExportSettings",
    "GatherSettings",
    "LaunchSettings",
    "PlaceSettings",
    "PriorSettings",
    "ScoreSettings",
    "SelectSettings",
    "SourceSettings",
    "StudentSettings",
    "SweepSettings",
    "TeachSettings",
    "TrainSettings",
]
