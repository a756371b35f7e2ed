"""Manifests, candidates and images: what comes from the user's files."""
