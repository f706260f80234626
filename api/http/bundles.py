"""Scripts and styles of other projects, served from installed packages.

The packages are made for Django and never imported; only their files are used. NOTICE names their
licences.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_SWAGGER_UI = "drf_spectacular_sidecar/static/drf_spectacular_sidecar/swagger-ui-dist"
_REDOC = "drf_spectacular_sidecar/static/drf_spectacular_sidecar/redoc/bundles"

DOCUMENTATION = {
    "swagger-ui/swagger-ui-bundle.js": f"{_SWAGGER_UI}/swagger-ui-bundle.js",
    "swagger-ui/swagger-ui.css": f"{_SWAGGER_UI}/swagger-ui.css",
    "redoc/redoc.standalone.js": f"{_REDOC}/redoc.standalone.js",
}
"""Files of the documentation pages: name in the address -> installed file."""

PANEL = {"htmx.min.js": "django_htmx/static/django_htmx/htmx-2.min.js"}
"""Files of the admin panel, in the same form."""


def installed(file: str) -> Path:
    """The path of a file whose first folder is an installed package.

    Raises LookupError when the package is not installed.
    """
    package, _, rest = file.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0]) / rest
