"""Published releases of the synthetic county and the site that is built from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.publish.portal import build_site
from tests.portal.published import publish_county


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT with one release of three bodies. Only read it."""
    folder = tmp_path_factory.mktemp("out")
    publish_county(folder)
    return folder


@pytest.fixture(scope="session")
def portal(out: Path) -> Path:
    """The site of ``out``. Only read it."""
    folder = out / "portal"
    build_site(out, folder)
    return folder
