"""The settings: where each may come from, what is refused and in which words, and that none is told twice."""

from __future__ import annotations

import msgspec
import pytest

from pipelines.settings import Settings, SettingsError, declared, given_settings, load_settings


@pytest.fixture
def config(tmp_path):
    def write(text: str) -> dict[str, str]:
        path = tmp_path / "gongkai.toml"
        path.write_text(text, encoding="utf-8")
        return {"GONGKAI_CONFIG": str(path)}

    return write


def test_every_declared_setting_is_a_field_in_the_same_order():
    assert [each.name for each in declared()] == list(Settings.__struct_fields__)


def test_nothing_needs_to_be_set():
    settings = load_settings({})
    assert (settings.data, settings.out, settings.executor, settings.base_url) == ("data", "out", "in_process", "")


def test_the_file_then_the_environment_then_the_option_wins(config):
    environment = config('data = "file"\nout = "file"\nworkers = 3\n')
    environment |= {"GONGKAI_OUT": "environment", "GONGKAI_DATA": "environment", "GONGKAI_BASE_URL": ""}
    settings = load_settings(environment, data="option")
    assert (settings.data, settings.out, settings.workers) == ("option", "environment", 3)
    assert given_settings(environment)["workers"].place.endswith("gongkai.toml:3")


def test_the_file_of_the_current_folder_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gongkai.toml").write_text("settle_seconds = 0\n", encoding="utf-8")
    assert load_settings({}).settle_seconds == 0


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("GONGKAI_WORKERS", "0", "1 or more"),
        ("GONGKAI_WORKERS", "two", "1 or more"),
        ("GONGKAI_SENSOR_SECONDS", "-1", "1 or more"),
        ("GONGKAI_EXECUTOR", "celery", "in_process, multiprocess, dask"),
        ("GONGKAI_REGIONS", "/no/such/folder", "a folder that exists"),
        ("GONGKAI_SIGNING_KEY", "/no/such/key", "a file that exists"),
        ("GONGKAI_CONFIG", "/no/such/file", "does not exist"),
        *(
            ("GONGKAI_BASE_URL", text, "a web address")
            for text in ("data.example.org", "javascript:alert(1)", "https://a b", "https://a/<b>", "ftp://a")
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_should_be(variable, text, expected):
    with pytest.raises(SettingsError, match=variable) as caught:
        load_settings({variable: text})
    assert expected in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arbeiter = 2\n", "gongkai.toml:1：没有名为 arbeiter 的设置"),
        ('\nckan_key = "abc"\n', "gongkai.toml:2：ckan_key 是密钥"),
        ("data = \n", "设置文件读不出来"),
        ("data = [1]\n", "设置文件读不出来"),
        ('executor = "celery"\n', "gongkai.toml:1 是“celery”"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(config, text, expected):
    with pytest.raises(SettingsError) as caught:
        load_settings(config(text))
    assert expected in str(caught.value)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("alone", "needed"),
    [
        ({"GONGKAI_DAGSTER_STORAGE": "postgres"}, {"GONGKAI_POSTGRES_URL": "postgresql://a/b"}),
        ({"GONGKAI_CKAN_URL": "https://ckan.example.org"}, {"GONGKAI_CKAN_KEY": "k"}),
    ],
)
def test_settings_that_need_one_another(alone, needed):
    with pytest.raises(SettingsError, match=next(iter(needed))):
        load_settings(alone)
    load_settings(alone | needed)


def test_a_secret_address_may_carry_a_token_and_is_never_repeated():
    there = "https://qyapi.example.org/robot?key=open-sesame"
    assert load_settings({"GONGKAI_NOTICE_WEBHOOK": there}).notice_webhook == there
    with pytest.raises(SettingsError, match="GONGKAI_NOTICE_WEBHOOK") as caught:
        load_settings({"GONGKAI_NOTICE_WEBHOOK": "robot?key=open-sesame"})
    assert "sesame" not in str(caught.value)


def test_a_printed_settings_object_shows_no_secret():
    settings = load_settings({"GONGKAI_SMTP_PASSWORD": "open sesame"})
    assert settings.smtp_password == "open sesame"
    assert "sesame" not in repr(settings)
    assert msgspec.structs.asdict(settings)["smtp_password"] == "open sesame"
