"""Handlers of the page's requests, one module per tab.

Each is a short function `(context, params) -> plain value`, listed in `rpc.METHODS`.
"""
