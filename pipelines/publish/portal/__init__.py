"""The open-data portal as a static site, built from published releases alone.

Belongs here: reading releases, the pages, the charts, the derived downloads, putting the site in place. Does not belong
here: making releases (pipelines/publish/release.py), which figures are drawn (schemas/charts.toml), the sources of the
script and the style sheet (web/), serving the site (pipelines/publish/serve.py).
"""

from pipelines.publish.portal.site import SiteReport, build_site

__all__ = ["SiteReport", "build_site"]
