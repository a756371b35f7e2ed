"""Hand results on: reports, gates and exports of the images that filters leave."""
