"""The documentation as a site: ``sphinx-build -W docs site`` builds it and checks its links. Needs the extra [docs]."""

from __future__ import annotations

import semanticgan

project = "semanticgan"
copyright = "the authors of semanticgan, Apache-2.0"
version = release = semanticgan.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["experiments/README.md"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["misc.highlighting_failure"]  # JSON with an ellipsis

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "semanticgan"
html_static_path: list[str] = []
