"""The leaderboard: all runs of the store in one table."""
