"""The only formulas: arrays or counts in, numbers out; numpy only."""
