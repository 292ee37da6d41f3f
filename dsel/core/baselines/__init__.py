"""Baselines: other ways to choose images and boxes from the same scores, at the same budget.

A baseline is a pure function from the candidates of one class (`base.Pool`) to their order
(`base.Choice`). A new one is one module here and one line in `registry.BASELINES`; its name also
belongs to the settings (`BaselineName` in `dsel.config.select`).
"""
