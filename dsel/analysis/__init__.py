"""An open run: live answers, explanations, comparison, quality, localization.

Everything here reads a finished run and answers without torch. A new figure or view of a run
belongs here; how it is drawn belongs to the faces.
"""
