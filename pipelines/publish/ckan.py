"""A release on a CKAN portal: put there whole, verified byte by byte, then shown; never half of it.

Belongs here: the order of a push. Does not belong here: what is sent (ckan_record.py), the connection and its faults
(ckan_portal.py), whether to push at all (assets).

A new dataset is made private; its files are uploaded, downloaded again and compared by SHA-256; last it is made public.
A public dataset is changed in one single action of the portal (``package_revise``, one transaction there): fields, the
new list of files and the new files' bytes together. Before that, the new files are tried on a private dataset beside it
(``NAME-staging``), so that a portal that cannot take them or stores other bytes is found out while the public one still
stands as it was. New bytes are always a new resource: a resource's bytes are never replaced. Whatever a push that was
cut off left behind is found and used or removed by the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import sleep
from typing import Any, NoReturn

import msgspec

from pipelines.publish.catalogue.facts import release_address
from pipelines.publish.ckan_portal import Portal, PushError
from pipelines.publish.ckan_record import OWNED, PATH, Record, Sent, dataset_name, owner_mark, read_record
from pipelines.publish.release import current_release
from pipelines.publish.verify import verify
from pipelines.storage import Place, report_path
from schemas.region import Region

STAGING = "-staging"
Dataset = Mapping[str, Any]


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What a push came to. ``release``: what the portal shows now, "" for nothing; ``verified``: files compared."""

    name: str
    address: str
    release: str
    uploaded: int
    verified: int
    reads: int
    writes: int


def push(
    out: Place,
    region: Region,
    year: int,
    *,
    url: str,
    key: str,
    base_url: str = "",
    attempts: int = 3,
    pause: float = 2.0,
) -> Pushed:
    """Let the portal at ``url`` show the release that counts; where none does (withdrawn), the dataset goes private.

    The release is verified first. Faults of the connection and of the server are tried again, ``attempts`` times at
    most, with ``pause`` seconds between (doubled each time), each time from what the portal holds then. The same
    release again writes nothing. ``base_url``: the web address of ``out``. Raises PushError, HistoryError,
    CatalogueError, OSError; a public dataset is then whole.
    """
    with Portal(url, key) as portal:
        for attempt in range(1, attempts + 1):
            try:
                return _push(portal, out, region, year, base_url)
            except PushError as error:
                if not error.retryable or attempt == attempts:
                    raise
                sleep(pause * 2 ** (attempt - 1))
    raise AssertionError("attempts must be at least 1")


def _push(portal: Portal, out: Place, region: Region, year: int, base_url: str) -> Pushed:
    code = region.settings.code
    current = current_release(out, code, year)
    if current is not None:
        report = verify(current)
        if not report.valid:
            first = next(finding for finding in report.findings if finding.severity == "error")
            words = {"first_zh": first.message_zh, "first_en": first.message_en}
            raise PushError("release_invalid", release=current.name, **words)
    _check_rights(portal, region.settings.ckan_organisation)
    name = dataset_name(code, year)
    shown = _ours(portal, name, region, year)
    staging = _ours(portal, name + STAGING, region, year)
    uploaded = verified = 0
    if current is None:
        if shown is not None and not shown["private"] and shown["state"] == "active":
            portal.change("package_patch", {"id": shown["id"], "private": True})
    else:
        licences = tuple(each["id"] for each in portal.find("license_list") or ())
        address = release_address(base_url, code, year)
        record = read_record(current, report_path(out, code, year), region, address, licences)
        job = _Job(portal, record, region.settings.ckan_organisation)
        staging = job.run(shown, staging)
        uploaded, verified = job.uploaded, job.verified
    if staging is not None and staging["state"] == "active":
        portal.change("package_delete", {"id": staging["id"]})
    return Pushed(
        name=name,
        address=f"{portal.url}/dataset/{name}",
        release=current.name if current is not None else "",
        uploaded=uploaded,
        verified=verified,
        reads=portal.reads,
        writes=portal.writes,
    )


def _check_rights(portal: Portal, organisation: str) -> None:
    if portal.find("organization_show", id=organisation) is None:
        raise PushError("organisation_missing", url=portal.url, organisation=organisation)
    mine = portal.find("organization_list_for_user", permission="create_dataset") or ()
    if organisation not in [each["name"] for each in mine]:
        raise portal.refused(f"create_dataset（{organisation}）")


def _ours(portal: Portal, name: str, region: Region, year: int) -> Dataset | None:
    """The portal's dataset of that name, None where there is none. Raises PushError where it is somebody else's."""
    try:
        found: Dataset | None = portal.find("package_show", id=name)
    except PushError as error:
        if error.kind != "refused":
            raise
        found = {}  # it is there, but not for us to see
    if found is None:
        return None
    marks = [extra["value"] for extra in found.get("extras", ()) if extra["key"] == OWNED]
    owner = (found.get("organization") or {}).get("name", "")
    if marks != [owner_mark(region.settings.code, year)] or owner != region.settings.ckan_organisation:
        whose = {"owner_zh": owner or "未知", "owner_en": owner or "an unknown organisation"}
        raise PushError("name_taken", name=name, **whose)
    return found


def _identity(resource: Dataset) -> tuple[str, str]:
    return str(resource.get(PATH, "")), str(resource.get("hash", ""))


def _same(record: Record, shown: Dataset) -> bool:
    """Whether the portal already shows exactly this."""

    def plain(values: Iterable[Dataset]) -> list[tuple[str, str]]:
        return sorted((str(each.get("key", "")), str(each.get("value") or each.get("name"))) for each in values)

    lists = ("tags", "extras")
    fields = {**record.fields, "private": False, "state": "active"}
    return (
        all(shown.get(name) == value for name, value in fields.items() if name not in lists)
        and all(plain(shown.get(name, ())) == plain(fields[name]) for name in lists)
        and len(shown["resources"]) == len(record.files)
        and all(
            resource.get(name) == value
            for resource, file in zip(shown["resources"], record.files, strict=True)
            for name, value in file.fields.items()
        )
    )


class _Job:
    """One push of one record."""

    def __init__(self, portal: Portal, record: Record, organisation: str) -> None:
        self.portal, self.record = portal, record
        self.uploaded = self.verified = 0
        self._own = {**record.fields, "owner_org": organisation}

    def run(self, shown: Dataset | None, staging: Dataset | None) -> Dataset | None:
        """Bring the portal to the record, from whatever it holds. Returns ``staging`` as it is afterwards."""
        public = shown is not None and shown["state"] == "active" and not shown["private"]
        if shown is not None and public:
            held = self._held(shown)
            if len(held) == len(self.record.files) and _same(self.record, shown):
                return staging
            missing = [file for file in self.record.files if file.identity not in held]
            if missing:
                staging = self._private(self.record.name + STAGING, staging)
                self._fill(staging, missing)
        else:
            shown = self._private(self.record.name, shown)
            held = self._fill(shown, self.record.files)
            missing = []
        self._show(shown, held, missing)
        return staging

    def _held(self, dataset: Dataset) -> dict[tuple[str, str], str]:
        """The resources that hold the very bytes that they should, by what they are."""
        files = {file.identity: file for file in self.record.files}
        held: dict[tuple[str, str], str] = {}
        for resource in dataset.get("resources", ()):
            file = files.get(_identity(resource))
            if file is not None and file.identity not in held and self._right(dataset, resource, file):
                held[file.identity] = resource["id"]
        return held

    def _right(self, dataset: Dataset, resource: Dataset, file: Sent) -> bool:
        self.verified += 1
        name = str(resource["url"]).rpartition("/")[2]
        digest = self.portal.digest(dataset["id"], resource["id"], name, len(file.data))
        return digest == str(file.fields["hash"])

    def _private(self, name: str, found: Dataset | None) -> Dataset:
        """A private dataset of that name to work in, made or taken up again."""
        if found is None:
            made: Dataset = self.portal.change("package_create", {**self._own, "name": name, "private": True})
            return made
        if found["state"] == "active" and found["private"]:
            return found
        words = {"id": found["id"], "state": "active", "private": True, "resources": []}
        taken: Dataset = self.portal.change("package_patch", words)  # deleted before: nothing of then is kept
        return taken

    def _fill(self, dataset: Dataset, files: Iterable[Sent]) -> dict[tuple[str, str], str]:
        """Upload what a private dataset lacks, then download and compare all of it. Raises PushError."""
        held = self._held(dataset)
        for file in files:
            if file.identity not in held:
                words = {**file.fields, "package_id": dataset["id"], "size": str(file.fields["size"])}
                resource = self.portal.change("resource_create", words, {"upload": _upload(file)})
                self.uploaded += 1
                if not self._right(dataset, resource, file):
                    raise PushError("bytes_differ", url=self.portal.url, path=file.path)
                held[file.identity] = resource["id"]
        return held

    def _show(self, dataset: Dataset, held: Mapping[tuple[str, str], str], missing: Iterable[Sent]) -> None:
        """The one action that lets the public see the record, whole."""
        resources = [
            {**file.fields, "id": held[file.identity], "url": file.path.rpartition("/")[2], "url_type": "upload"}
            if file.identity in held
            else dict(file.fields)
            for file in self.record.files
        ]
        order = [file.identity for file in self.record.files]
        uploads = {f"update__resources__{order.index(file.identity)}__upload": _upload(file) for file in missing}
        answer = self.portal.change(
            "package_revise",
            {
                "match": {"id": dataset["id"], "metadata_modified": self._seen(dataset)},
                "filter": ["-resources", "-tags", "-extras"],
                "update": {**self._own, "private": False, "state": "active", "resources": resources},
            },
            uploads,
        )
        self.uploaded += len(uploads)
        now: Dataset = answer["package"]
        new = [resource for resource in now["resources"] if _identity(resource) not in held]
        files = {file.identity: file for file in self.record.files}
        for resource in new:
            if not self._right(now, resource, files[_identity(resource)]):
                self._hide(now, files[_identity(resource)])

    def _seen(self, dataset: Dataset) -> str:
        """When the portal says that the dataset was changed last; a change by others meanwhile stops the push."""
        if dataset["private"]:  # our own uploads changed it
            dataset = self.portal.find("package_show", id=dataset["id"]) or dataset
        return str(dataset["metadata_modified"])

    def _hide(self, dataset: Dataset, file: Sent) -> NoReturn:
        """Take back what was just made public with a file that is not what was sent. Raises PushError."""
        found = {"url": self.portal.url, "path": file.path, "name": self.record.name}
        try:
            self.portal.change("package_patch", {"id": dataset["id"], "private": True})
        except PushError as fault:
            raise PushError("not_hidden", **found) from fault
        raise PushError("hidden", **found)


def _upload(file: Sent) -> tuple[str, bytes, str]:
    return file.path.rpartition("/")[2], file.data, str(file.fields["mimetype"])
