"""The connection to a CKAN portal: its actions through ckanapi, downloads, and every fault in words.

Belongs here: asking, and telling what can be tried again from what cannot. Does not belong here: the order of a push
(ckan.py), what is sent (ckan_record.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal

import requests
from ckanapi import RemoteCKAN
from ckanapi.errors import CKANAPIError, NotAuthorized, NotFound, ServerIncompatibleError, ValidationError

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0
Kind = Literal[
    "unreachable",
    "server_error",
    "not_ckan",
    "refused",
    "organisation_missing",
    "name_taken",
    "too_large",
    "not_accepted",
    "changed_meanwhile",
    "bytes_differ",
    "release_invalid",
]
Question = Literal["organization_show", "organization_list_for_user", "license_list", "package_show"]
_RETRYABLE = ("unreachable", "server_error", "changed_meanwhile")
Files = Mapping[str, tuple[str, bytes, str]]


class PushError(RuntimeError):
    """A push did not come to its end; ``chinese`` and ``english`` say why and what to do. It never holds the key.

    ``retryable``: the same push may go well later, without anybody doing anything.
    """

    def __init__(self, kind: Kind, chinese: str, english: str) -> None:
        self.kind, self.chinese, self.english = kind, chinese, english
        self.retryable = kind in _RETRYABLE
        super().__init__(f"{chinese} {english}")


class _AsConfigured(requests.auth.AuthBase):
    """Leaves the headers alone: without it requests would put a password of ~/.netrc in place of the key."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Portal:
    """One portal, asked with one key. ``reads`` and ``writes`` count the requests that were sent."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self.reads = self.writes = 0
        self._key = key
        self._session = requests.Session()
        self._session.auth = _AsConfigured()
        self._ckan = RemoteCKAN(self.url, apikey=key, user_agent="gongkai", session=self._session)

    def __enter__(self) -> Portal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def find(self, action: Question, **words: object) -> Any:  # noqa: ANN401 - each action answers otherwise
        """What an action that changes nothing answers, None where the portal has no such thing. Raises PushError."""
        self.reads += 1
        try:
            return self._ask(action, words)
        except NotFound:
            return None

    def change(self, action: str, words: Mapping[str, object], files: Files | None = None) -> Any:  # noqa: ANN401
        """Let the portal change something; ``files``: name, bytes and media type by parameter. Raises PushError."""
        self.writes += 1
        try:
            return self._ask(action, words, files)
        except NotFound:
            raise self._gone(action) from None

    def _ask(self, action: str, words: Mapping[str, object], files: Files | None = None) -> Any:  # noqa: ANN401
        try:
            if files:  # a form holds texts only
                flat = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in words.items()}
                return self._ckan.call_action(action, flat, files=dict(files), requests_kwargs=self._limits())
            return self._ckan.call_action(action, dict(words), requests_kwargs=self._limits())
        except NotAuthorized:
            raise self.refused(action) from None
        except ValidationError as error:
            raise self._not_accepted(action, error.error_dict, files) from None
        except requests.RequestException as error:
            raise self._unreachable(error) from None
        except NotFound:
            raise
        except (CKANAPIError, ServerIncompatibleError) as error:
            raise self._strange(action, str(error), files) from None

    def _limits(self) -> dict[str, Any]:
        return {"timeout": (CONNECT_SECONDS, ANSWER_SECONDS), "hooks": {"response": self._look}}

    def _look(self, response: requests.Response, *_: object, **__: object) -> None:
        if response.status_code >= 500:
            code = response.status_code
            raise PushError(
                "server_error",
                f"CKAN 门户 {self.url} 出错（{code}）；公开的数据集是完整的。"
                "请稍后重试；仍然如此，请门户管理员查看其日志。",
                f"The CKAN portal {self.url} failed ({code}); the public dataset is whole. Try again later; if it"
                " stays so, ask the portal's administrator to look at its log.",
            )

    def digest(self, dataset: str, resource: str, name: str, size: int) -> str:
        """The SHA-256 of what the portal gives for download, "" if it gives nothing or more than ``size`` bytes."""
        self.reads += 1
        address = f"{self.url}/dataset/{dataset}/resource/{resource}/download/{name}"
        taken, done = hashlib.sha256(), 0
        try:
            # The key goes in this one header: requests drops it if the portal sends us on to another host.
            with self._session.get(
                address, headers={"Authorization": self._key}, stream=True, **self._limits()
            ) as answer:
                if answer.status_code != 200:
                    return ""
                for piece in answer.iter_content(1 << 16):
                    taken.update(piece)
                    done += len(piece)
                    if done > size:
                        return ""
        except requests.RequestException as error:
            raise self._unreachable(error) from None
        return taken.hexdigest()

    # -------------------------------------------------------------- faults
    def _unreachable(self, error: Exception) -> PushError:
        return PushError(
            "unreachable",
            f"连不上 CKAN 门户 {self.url}，或者中途断线（{type(error).__name__}）；公开的数据集是完整的。"
            "请检查网络和设置 ckan_url 后重试。",
            f"The CKAN portal {self.url} cannot be reached, or the connection was lost ({type(error).__name__}); the"
            " public dataset is whole. Check the network and the setting ckan_url, then try again.",
        )

    def refused(self, action: str) -> PushError:
        """The portal does not let this key do it."""
        return PushError(
            "refused",
            f"CKAN 门户 {self.url} 拒绝了 {action}（403）：密钥无效、已过期，或没有在该机构发布数据的权限。"
            "请在门户上用机构的“编辑”或“管理员”用户生成 API 令牌，设为环境变量 GONGKAI_CKAN_KEY。",
            f"The CKAN portal {self.url} refused {action} (403): the key is wrong, has expired or may not publish for"
            " the organisation. Make an API token as an editor or admin of the organisation and set GONGKAI_CKAN_KEY.",
        )

    def _gone(self, action: str) -> PushError:
        return PushError(
            "changed_meanwhile",
            f"推送期间门户上的数据集被他人改动或删除（{action}）。请重试。",
            f"The dataset was changed or deleted on the portal during the push ({action}). Try again.",
        )

    def _not_accepted(self, action: str, said: Mapping[str, Any], files: Files | None) -> PushError:
        text = json.dumps({k: v for k, v in said.items() if k != "__type"}, ensure_ascii=False)
        if "match" in said:
            return self._gone(action)
        if "too large" in text.lower() or ("upload" in text and "过大" in text):
            return self._too_large(files)
        return PushError(
            "not_accepted",
            f"CKAN 门户 {self.url} 不接受所发的内容（{action}）：{text}。门户可能有自己的必填项，请与门户管理员核对。",
            f"The CKAN portal {self.url} does not accept what was sent ({action}): {text}. It may ask for fields of its"
            " own; settle it with the portal's administrator.",
        )

    def _too_large(self, files: Files | None) -> PushError:
        largest = max((files or {"": ("", b"", "")}).values(), key=lambda file: len(file[1]))
        name, size = largest[0], len(largest[1]) / 2**20
        return PushError(
            "too_large",
            f"文件“{name}”（{size:.1f} MiB）超过 CKAN 门户允许的大小，公开的数据集没有改动。"
            "请门户管理员调大 ckan.max_resource_size（默认 10 MB；前面有 nginx 的，还有 client_max_body_size），"
            "再推送。",
            f"The file {name!r} ({size:.1f} MiB) is larger than the CKAN portal allows; the public dataset is"
            " untouched. Ask the portal's administrator to raise ckan.max_resource_size (10 MB by default; and"
            " client_max_body_size of an nginx before it), then push again.",
        )

    def _strange(self, action: str, said: str, files: Files | None) -> PushError:
        if ", 413, " in said:
            return self._too_large(files)
        return PushError(
            "not_ckan",
            f"{self.url} 的回答不像 CKAN（{action}）：{said[:200]}。"
            "请检查设置 ckan_url：应为门户首页的最终网址（不经转向），如 https://data.example.org。",
            f"{self.url} does not answer like CKAN ({action}): {said[:200]}. Check the setting ckan_url: it should be"
            " the final address of the portal's home page, not one that redirects.",
        )
