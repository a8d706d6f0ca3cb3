"""The one configuration: where things are, how much may be used, and what a deployment is connected to.

Belongs here: the settings declared in settings.toml, read from ``gongkai.toml`` and the environment, checked when they
are read. Does not belong here: what differs from county to county (regions/), or what the settings are used for.

A setting has its name in ``gongkai.toml`` (in the current folder, or the file that GONGKAI_CONFIG names), and
``GONGKAI_`` before its name in capitals in the environment, which wins; an empty variable counts as not set. Secrets
come from the environment alone: one that stands in the file is refused, since files are copied and shown.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from schemas.declaration import DeclarationError, line_of, read_toml

PROJECT = Path(__file__).resolve().parent.parent
CONFIG_FILE = "gongkai.toml"
CONFIG_VARIABLE = "GONGKAI_CONFIG"
Kind = Literal["place", "folder", "file", "address", "count", "choice", "text", "secret", "secret_address"]
Origin = Literal["default", "file", "environment", "option"]
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"{}|\\^`#?]+")
_ANY_ADDRESS = re.compile(
    r"https?://[^\s<>\"{}|\\^`#]+"
)  # with a query: robots of chat services carry their token there


class SettingsError(ValueError):
    """A setting is wrong; the text names the setting, what it holds and what it should hold."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a deployment, in the order of settings.toml, where each is described; "": not set."""

    data: str
    out: str
    regions: str
    workers: int
    base_url: str
    limit_file_mebibytes: int
    limit_memory_mebibytes: int
    limit_seconds: int
    executor: Literal["in_process", "multiprocess", "dask"]
    executor_processes: int
    dask_scheduler: str
    concurrent_runs: int
    sensor_seconds: int
    settle_seconds: int
    dagster_storage: Literal["sqlite", "postgres"]
    postgres_url: str
    ckan_url: str
    ckan_key: str
    signing_key: str
    allowed_signers: str
    notice_webhook: str
    notice_email_to: str
    notice_email_from: str
    smtp_host: str
    smtp_port: int
    smtp_security: Literal["none", "starttls", "tls"]
    smtp_user: str
    smtp_password: str

    def __repr__(self) -> str:
        """Names only: a text of the settings may end up in a log, and a secret must not."""
        return f"Settings({', '.join(self.__struct_fields__)})"


class Declaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of settings.toml."""

    name: str
    kind: Kind
    zh: str
    en: str
    default: str = ""
    minimum: int = 0
    choices: tuple[str, ...] = ()

    @property
    def secret(self) -> bool:
        """Whether it may only come from the environment and is never shown."""
        return self.kind in ("secret", "secret_address")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"GONGKAI_{self.name.upper()}"


class _Declarations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    settings: tuple[Declaration, ...]


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as it was found: its text, and where it came from (``place``: the file and line, or the variable)."""

    text: str
    origin: Origin
    place: str


@functools.cache
def declared() -> tuple[Declaration, ...]:
    """Every setting there is."""
    path = Path(__file__).with_suffix(".toml")
    return read_toml(path.read_text(encoding="utf-8"), _Declarations, path.name).settings


def config_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """The file of settings: the one that GONGKAI_CONFIG names, else ``gongkai.toml`` here, else None.

    Raises SettingsError where the named file does not exist.
    """
    given = (os.environ if environment is None else environment).get(CONFIG_VARIABLE, "")
    if not given:
        path = Path(CONFIG_FILE)
        return path if path.is_file() else None
    path = Path(given)
    if not path.is_file():
        raise SettingsError(
            f"{CONFIG_VARIABLE} 指向的文件“{given}”不存在，请改正或取消该变量。"
            f" {CONFIG_VARIABLE} names the file {given!r}, which does not exist; mend or unset it."
        )
    return path


def _from_file(path: Path) -> dict[str, Given]:
    names = {each.name: each for each in declared()}
    try:
        text = path.read_text(encoding="utf-8")
        found = read_toml(text, dict[str, str | int], str(path))
    except (DeclarationError, OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"设置文件读不出来：{error}。每行应为 名称 = 值。"
            f" The file of settings cannot be read: {error}. Each line should be name = value."
        ) from None
    given: dict[str, Given] = {}
    for name, value in found.items():
        where = f"{path}:{line_of(text, f'$.{name}')}"
        if name not in names:
            raise SettingsError(
                f"{where}：没有名为 {name} 的设置；有哪些见 gongkai settings。"
                f" There is no setting {name}; `gongkai settings` lists them."
            )
        if names[name].secret:
            raise SettingsError(
                f"{where}：{name} 是密钥，不能写在文件里，请改用环境变量 {names[name].variable}。"
                f" {name} is a secret and may not stand in a file; set {names[name].variable} in the environment."
            )
        given[name] = Given(text=str(value), origin="file", place=where)
    return given


def _default(declaration: Declaration) -> Given:
    processors = min(2, os.cpu_count() or 1)
    return Given(
        text=declaration.default.format(project=PROJECT, processors=processors),
        origin="default",
        place=declaration.name,
    )


def given_settings(
    environment: Mapping[str, str] | None = None, *, data: str | None = None, out: str | None = None
) -> dict[str, Given]:
    """Every setting as found, by name, in declared order; unchecked. Raises SettingsError for an unusable file."""
    variables = os.environ if environment is None else environment
    path = config_file(variables)
    found = {each.name: _default(each) for each in declared()}
    if path is not None:
        found |= {name: given for name, given in _from_file(path).items() if given.text}
    for each in declared():
        if text := variables.get(each.variable, ""):
            found[each.name] = Given(text=text, origin="environment", place=each.variable)
    for name, option in (("data", data), ("out", out)):
        if option:
            found[name] = Given(text=option, origin="option", place=f"--{name}")
    return found


def _refuse(given: Given, chinese: str, english: str) -> SettingsError:
    return SettingsError(
        f"{given.place} 是“{given.text}”，应为{chinese}。 {given.place} is {given.text!r}; it should be {english}."
    )


def _checked(declaration: Declaration, given: Given) -> str | int:
    """The setting's value. Raises SettingsError."""
    text = given.text
    if declaration.kind == "count":
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < declaration.minimum:
            least = declaration.minimum
            raise _refuse(given, f" {least} 以上的整数", f"a whole number of {least} or more")
        return int(text)
    if not text:
        return text
    if declaration.kind == "choice" and text not in declaration.choices:
        raise _refuse(given, f"{'、'.join(declaration.choices)} 之一", f"one of {', '.join(declaration.choices)}")
    if declaration.kind == "address" and not _WEB_ADDRESS.fullmatch(text):
        raise _refuse(given, "网址，如 https://data.example.org/open", "a web address, https://data.example.org/open")
    if declaration.kind == "secret_address" and not _ANY_ADDRESS.fullmatch(text):
        hidden = Given(text="***", origin=given.origin, place=given.place)
        raise _refuse(
            hidden, "网址，如 https://example.org/robot?key=…", "a web address, https://example.org/robot?key=…"
        )
    if declaration.kind == "folder" and not Path(text).is_dir():
        raise _refuse(given, "已有的文件夹", "a folder that exists")
    if declaration.kind == "file" and not Path(text).is_file():
        raise _refuse(given, "已有的文件", "a file that exists")
    return text


def load_settings(
    environment: Mapping[str, str] | None = None, *, data: str | None = None, out: str | None = None
) -> Settings:
    """The settings in force; ``data`` and ``out`` (options of a command) win. Raises SettingsError.

    Settings that only make sense together are checked together here.
    """
    found = given_settings(environment, data=data, out=out)
    values = {each.name: _checked(each, found[each.name]) for each in declared()}
    if values["dagster_storage"] == "postgres" and not values["postgres_url"]:
        raise SettingsError(
            "dagster_storage 为 postgres 时必须设环境变量 GONGKAI_POSTGRES_URL。"
            " With dagster_storage = postgres, GONGKAI_POSTGRES_URL must be set in the environment."
        )
    if values["ckan_url"] and not values["ckan_key"]:
        raise SettingsError(
            "设了 ckan_url，就必须设环境变量 GONGKAI_CKAN_KEY（CKAN 的 API 令牌）。"
            " With ckan_url, GONGKAI_CKAN_KEY (the API token for CKAN) must be set in the environment."
        )
    return msgspec.convert(values, Settings)


def settings_page() -> str:
    """The table of all settings for docs/configuration.md, in Markdown, Chinese first."""
    lines = ["| 名称 name | 环境变量 variable | 默认 default | 含义 meaning |", "| --- | --- | --- | --- |"]
    for each in declared():
        default = each.default.replace("{project}", ".").replace("{processors}", "1–2")
        notes = [f"`{default}`" if default else "—"]
        if each.choices:
            notes.append("可选 one of " + "、".join(f"`{choice}`" for choice in each.choices))
        if each.secret:
            notes.append("只从环境变量取 environment only")
        lines.append(f"| `{each.name}` | `{each.variable}` | {'；'.join(notes)} | {each.zh} {each.en} |")
    return "\n".join(lines) + "\n"
