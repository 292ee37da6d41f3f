"""Background jobs: what they do (tasks), where they are stored (folder), when they run (queue)."""
