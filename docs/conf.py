"""Sphinx configuration: Markdown through MyST, the furo theme; without a network and without importing the package."""

project = "Dateline"
author = "the Dateline authors"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Dateline"
html_show_copyright = False
html_show_sphinx = False
