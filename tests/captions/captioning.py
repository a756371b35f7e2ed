"""Caption a single image, for tests."""

from streetclip.captions.patterns import PLACE_FIELDS
from streetclip.captions.templates import make_captions


def make_caption(templates, fields, *, seed, image_filename):
    columns = {name: [fields.get(name, "")] for name in PLACE_FIELDS}
    (made,) = make_captions(templates, columns | {"image_filename": [image_filename]}, seed=seed)
    return made
