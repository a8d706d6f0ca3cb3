"""The web address of a deployment: a setting that is checked where it is read."""

from __future__ import annotations

import pytest

from pipelines.settings import SettingsError, load_settings


def test_no_address_by_default():
    assert load_settings({}).base_url == ""


def test_an_address_is_taken():
    assert load_settings({"GONGKAI_BASE_URL": "https://data.example.org/open"}).base_url.endswith("/open")


@pytest.mark.parametrize("text", ["data.example.org", "javascript:alert(1)", "https://a b", "https://a/<b>", "ftp://a"])
def test_what_is_no_web_address_is_refused(text):
    with pytest.raises(SettingsError, match="GONGKAI_BASE_URL"):
        load_settings({"GONGKAI_BASE_URL": text})
