"""The checks of a built package as Dagster shows them: every finding about its files belongs to one named check.

Belongs here: which check a kind of finding stops. Does not belong here: the checks themselves (checks.py, figures.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipelines.publish.verify import check_files
from schemas.findings import Finding

CHECKS = {
    "descriptor_valid": "说明文件符合 Data Package v2 / the descriptor is valid",
    "files_sealed": "文件大小和 SHA-256 与说明文件一致 / sizes and hashes are as stated",
    "csv_valid": "CSV 通过 frictionless 校验 / the CSV twins are valid",
    "twins_equal": "CSV 与 Parquet 完全一致 / CSV equals Parquet",
    "keys_hold": "外键成立 / foreign keys hold",
    "figures_true": "汇总数等于各单位之和，且符合勾稽关系 / totals are the sums of the bodies and obey the rules",
}
_CHECK_OF = {
    "descriptor_invalid": "descriptor_valid",
    "release_file_missing": "files_sealed",
    "release_file_unlisted": "files_sealed",
    "checksum_differs": "files_sealed",
    "bytes_differ": "files_sealed",
    "csv_invalid": "csv_valid",
    "parquet_invalid": "twins_equal",
    "twin_differs": "twins_equal",
    "foreign_key_broken": "keys_hold",
}


def check_package(files: Mapping[str, bytes]) -> dict[str, list[Finding]]:
    """The errors about a package's files by check, every check present."""
    return by_check(check_files(files))


def by_check(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """The errors among findings about a package by check, every check present."""
    found: dict[str, list[Finding]] = {check: [] for check in CHECKS}
    for finding in findings:
        if finding.severity == "error":
            found[_CHECK_OF.get(finding.rule, "figures_true")].append(finding)
    return found
