"""The Python API: keywords to settings, settings to the pipeline, results a notebook can show.

A third face beside the app and the command line. `dsel` re-exports everything public of this room;
a function belongs here if a notebook user calls it, and what it computes belongs further up.
"""
