"""Helpers of the tests: drawn pictures, synthetic runs, small priors, a browser."""
