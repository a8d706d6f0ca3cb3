"""The connection to a CKAN portal: its actions through ckanapi, downloads, and every fault (words in faults.toml).

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

from pipelines.faults import fault_of

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
    "hidden",
    "not_hidden",
    "release_invalid",
]
Question = Literal["organization_show", "organization_list_for_user", "license_list", "package_show"]
Files = Mapping[str, tuple[str, bytes, str]]


class PushError(RuntimeError):
    """A push did not come to its end; ``chinese`` and ``english`` say why and what to do. It never holds the key.

    The words are those of ``ckan_<kind>`` in pipelines/faults.toml, with ``found`` filled in. ``retryable``: the same
    push may go well later, without anybody doing anything.
    """

    def __init__(self, kind: Kind, **found: object) -> None:
        fault = fault_of(f"ckan_{kind}")
        self.kind, self.retryable = kind, fault.again
        self.chinese, self.english = fault.zh.format(**found), fault.en.format(**found)
        super().__init__(f"{self.chinese} {self.english}")


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
            raise PushError("changed_meanwhile", action=action) from None

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
            response.close()  # not read yet: its connection would stay open
            raise PushError("server_error", url=self.url, code=response.status_code)

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
        return PushError("unreachable", url=self.url, error=type(error).__name__)

    def refused(self, action: str) -> PushError:
        """The portal does not let this key do it."""
        return PushError("refused", url=self.url, action=action)

    def _not_accepted(self, action: str, said: Mapping[str, Any], files: Files | None) -> PushError:
        text = json.dumps({k: v for k, v in said.items() if k != "__type"}, ensure_ascii=False)
        if "match" in said:
            return PushError("changed_meanwhile", action=action)
        if "too large" in text.lower() or ("upload" in text and "过大" in text):
            return self._too_large(files)
        return PushError("not_accepted", url=self.url, action=action, said=text)

    def _too_large(self, files: Files | None) -> PushError:
        name, data, _ = max((files or {"": ("", b"", "")}).values(), key=lambda file: len(file[1]))
        return PushError("too_large", name=name, size=f"{len(data) / 2**20:.1f}")

    def _strange(self, action: str, said: str, files: Files | None) -> PushError:
        if ", 413, " in said:
            return self._too_large(files)
        return PushError("not_ckan", url=self.url, action=action, said=said[:200])
