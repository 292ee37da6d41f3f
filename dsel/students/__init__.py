"""Students and teachers: what a set is worth, measured by training on it (torch).

Students are trained from scratch on a set of images and tested on held-out ones; a teacher is a
classifier that gives soft labels. Add an architecture or a recipe here; which sets are compared is
decided in `dsel.pipeline`.
"""

from __future__ import annotations
