"""The stages of a run, unattended: score, select, export, each a generator of events.

The order in which shards are scored, the work that a resumed run skips, the steps of a selection
and their cache belong here. Nothing here prints: the command line and the app consume the events.
"""
