"""Which settings a sweep tries, and how advice searches."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dsel.config.base import Display, Settings

MOST_CELLS = 500
"""Cells of a grid at most."""


class SweepSettings(Settings):
    """The values of each select setting that a sweep combines; none is the selection's own."""

    cut: Annotated[
        tuple[str, ...], Field(description="patch, context or whole"), Display("Cuts")
    ] = ("patch", "context", "whole")
    patch_px: Annotated[
        tuple[Annotated[int, Field(ge=0, le=8192)], ...],
        Field(description="sides of the patch, in pixels of the image as the prior saw it"),
        Display("Patch sizes", unit="px"),
    ] = ()
    timesteps: Annotated[
        tuple[str, ...],
        Field(description="scored timesteps, joined by +, such as 300+500; all for all of them"),
        Display("Timesteps"),
    ] = ()
    locate: Annotated[
        tuple[str, ...],
        Field(description="positive, difference or signed: the map that locates the patch"),
        Display("Locate by"),
    ] = ()
    smooth: Annotated[
        tuple[Annotated[float, Field(ge=0.0, le=16.0)], ...],
        Field(description="standard deviations of the Gaussian that smooths it, in cells"),
        Display("Smooth", unit="cells"),
    ] = ()
    rank_by: Annotated[
        tuple[str, ...], Field(description="patch or picture"), Display("Rank by")
    ] = ("patch", "picture")
    clusters: Annotated[
        tuple[Annotated[int, Field(ge=0, le=10_000)], ...],
        Field(description="k-means clusters per class (k); 0 is as many as images per class"),
        Display("Clusters (k)"),
    ] = ()
    within: Annotated[
        tuple[str, ...], Field(description="score or centroid"), Display("Within clusters")
    ] = ("score", "centroid")
    across: Annotated[
        tuple[str, ...], Field(description="round-robin or pooled"), Display("Across clusters")
    ] = ()
    drop_lowest: Annotated[
        tuple[Annotated[float, Field(ge=0.0, le=0.95)], ...],
        Field(description="shares of a class's patches, with the lowest scores, that are left out"),
        Display("Drop lowest"),
    ] = ()
    factor: Annotated[
        tuple[Annotated[int, Field(ge=1, le=8)], ...],
        Field(description="cuts per side of a distilled image"),
        Display("Mosaics"),
    ] = ()


class AdviseSettings(Settings):
    """How much advice costs: rounds of students, in each of which the better half stays."""

    candidates: Annotated[
        int,
        Field(ge=2, le=24, description="settings to begin with"),
        Display("Candidates"),
    ] = 12
    rungs: Annotated[
        int,
        Field(ge=1, le=6, description="rounds; after each, the better half of the settings stays"),
        Display("Rounds"),
    ] = 3
    final_seeds: Annotated[
        int,
        Field(ge=2, le=100, description="students of the best settings and of random ones at last"),
        Display("Students at the end"),
    ] = 5
