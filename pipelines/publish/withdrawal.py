"""Taking a release back, with everything that was made from it.

Belongs here: the withdrawal and then the report, the records and the portal of the release that counts now. Does not
belong here: the record itself (release.py, history.py).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from pipelines.publish.beside import write_catalogue, write_report
from pipelines.publish.history import read_history
from pipelines.publish.portal.site import build_site
from pipelines.publish.release import ReleaseError, withdraw
from pipelines.storage import Place, portal_path
from schemas.region import Region


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """What counts after a withdrawal, "" for none. ``already``: it had been withdrawn before."""

    current: str
    already: bool


def withdraw_release(
    out: Place,
    regions: Path,
    base_url: str,
    region: Region,
    year: int,
    identifier: str,
    reason: str,
    approved_by: str,
) -> Withdrawal:
    """Withdraw a release and make report, records and portal anew from the one that counts then.

    One that was killed half-way is finished by calling it again. Raises ReleaseError for an id that was never
    published, or without a reason and a name; SiteError, HistoryError, OSError.
    """
    code = region.settings.code
    already = False
    try:
        withdraw(out, code, year, identifier, reason, approved_by)
    except ReleaseError:
        if read_history(out, code, year).withdrawal(identifier) is None:
            raise
        already = True
    write_report(out, regions, region, year)
    write_catalogue(out, region, year, base_url)
    build_site(out, portal_path(out))
    return Withdrawal(current=read_history(out, code, year).current, already=already)
