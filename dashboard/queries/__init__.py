"""Cached reads of the store for every page."""

import pandas as pd

# Pages read texts one by one, and a Python list of them is quicker to read than an array of Arrow.
pd.options.mode.string_storage = "python"
