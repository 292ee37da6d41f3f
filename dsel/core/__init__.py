"""The method on NumPy arrays: gap maps, box search, clustering, projection, ranking, composing.

Pure functions of arrays and frozen records: no files, no torch, no device, no global seed. A new
way to locate, cluster, rank or compose belongs here.
"""
