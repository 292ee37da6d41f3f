"""The stages of a run, unattended: score, select, export, each a generator of events.

What decides in which order shards are scored, what resume skips and what is kept on the way
belongs here. Nothing here prints: the faces consume the events.
"""
