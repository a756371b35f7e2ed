"""Manifests written for a test, and the error that reading one gives."""

import pytest

from streetclip.data.manifest import read_manifest
from streetclip.errors import ManifestError

HEADER = "image_filename,city,region,country,continent"
FRANCE = "{},Paris,Île-de-France,France,Europe"


def lines(*rows, header=HEADER):
    return "\n".join([header, *rows]) + "\n"


def error_of(path, **options):
    with pytest.raises(ManifestError) as caught:
        read_manifest(path, **options)
    return str(caught.value)
