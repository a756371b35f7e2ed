"""Gallery, image detail and triage, with their JavaScript."""
