"""What every test shares."""

import os

# Set before any library that reads it is imported: no hub is ever asked.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
