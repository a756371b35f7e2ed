"""The dashboard starts fast and does nothing at import."""

import json
import subprocess
import sys

_PROGRAM = """
import json, sys
import dashboard.views.overview.page
heavy = {"torch", "transformers", "sklearn", "PIL.JpegImagePlugin"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""


def test_importing_the_page_loads_no_deep_learning_library(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout) == []
    assert list(tmp_path.iterdir()) == []
