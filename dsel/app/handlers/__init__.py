"""What answers the page: one module per tab, short functions from a request to plain values."""
