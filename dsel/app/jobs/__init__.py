"""Jobs in the background: their folders, their queue, and what each of them does."""
