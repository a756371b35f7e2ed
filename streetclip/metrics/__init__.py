"""Metrics: arrays in, numbers out; numpy only.

Proportions with Wilson intervals, paired differences, medians with intervals by order statistics,
macro averages, calibration and confusion counts; `summary.summarise` puts them together into the
body of `metrics.json`.
"""
