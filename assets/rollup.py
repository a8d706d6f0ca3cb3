"""Roll-up: released county totals become totals of cities, provinces and the country, released in their turn.

Belongs here: when and in which partition it runs, and what blocks it. Does not belong here: how (pipelines/aggregate,
pipelines/publish). A year of its own partition: it reads what is released, whichever regions those are, and never
tables in progress. A province whose releases and settings are those of the last run is taken over as it stands.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import polars as pl

from assets.groups import ROLLUP as GROUP
from assets.partitions import YEARS
from assets.resources import Workspace
from assets.views import REASON, markdown, release_view
from pipelines.aggregate.body_cells import form_cells
from pipelines.aggregate.rollup import Frames, powerful_places, roll_up_country, roll_up_province, totals_wide
from pipelines.known_regions import Declared, declared_regions, known_regions
from pipelines.publish.package_checks import CHECKS as PACKAGE_CHECKS
from pipelines.publish.package_checks import by_check
from pipelines.publish.portal.site import build_site
from pipelines.publish.release import publish
from pipelines.publish.rollup_checks import PartFacts
from pipelines.publish.rollup_memory import program_key, recall, remember
from pipelines.publish.rollup_package import build_rollup, part_files, part_rows
from pipelines.publish.rollup_source import Counting, Seen, counting_release, intact, released_regions, released_totals
from pipelines.publish.rollup_verified import check_rollup_files
from pipelines.publish.rollup_withdrawal import REASON as REASON_GONE
from pipelines.publish.rollup_withdrawal import ground_of, withdraw_rollup
from pipelines.publish.signature import signer
from pipelines.publish.tables import read_parquet
from pipelines.settings import load_settings
from pipelines.storage import ROLLUP, portal_path, rollup_part_path, sha256
from pipelines.validate.bulk import gate
from schemas.descriptor import DESCRIPTOR
from schemas.findings import Finding
from schemas.form import Form, edition_for, load_form
from schemas.frames import wide_types
from schemas.rollup import COUNTRY, KnownRegion, Standing, Unusable, province_of
from schemas.rollup_descriptor import part_path, part_tables
from schemas.rules import RuleSet, load_rules

KNOWN, COUNTED = "应计入的地区 / regions to count", "计入的地区 / regions counted"  # of the country
GONE = "撤回的汇总 / withdrawn roll-ups"
# What is remembered between runs holds for the program that made it; these are what each kind of it depends on.
OF_REGIONS = ("pipelines/regions.py", "pipelines/known_regions.py", "schemas")
OF_PARTS = ("pipelines/aggregate", "pipelines/publish", "schemas")
OF_CHECKS = ("pipelines/aggregate", "pipelines/publish", "pipelines/validate", "schemas")
CHECKED_WITH = ("frictionless", "pandera", "pyarrow")
GATE = {
    "regions_counted": "至少一个地区有可用的已发布数据 / at least one region has a release that can be added",
    "no_rollup_errors": "没有重复计算、损坏的版本或不平衡 / nothing is counted twice, damaged or unbalanced",
    "rules_hold": "汇总数符合全部规则（pandera）/ the totals obey every error rule (pandera)",
}


class _Part(NamedTuple):
    """A province's files, whether they had to be worked out, and what to remember of its regions' releases."""

    files: dict[str, bytes]
    fresh: bool
    seen: dict[str, Seen]


def _declared(workspace: Workspace, year: int) -> dict[str, Declared]:
    """What the regions declare; only changed declarations are read anew."""
    path, key = rollup_part_path(workspace.data, year, "regions"), program_key(OF_REGIONS)
    before = recall(path, key, dict[str, Declared]) or {}
    declared = declared_regions(Path(workspace.regions), year, before)
    if declared != before:
        remember(path, key, declared)
    return declared


def _part_key(known: Sequence[KnownRegion], counting: Mapping[str, Counting | Unusable | None], edition: str) -> str:
    """The hash of all that a province's tables depend on: its regions' settings and releases, and this program."""
    lines = [program_key(OF_PARTS), edition]
    lines += [f"{region!r} {counting[region.code]!r}" for region in known]
    return sha256("\n".join(lines).encode())


def _frames(part: str, files: Mapping[str, bytes]) -> dict[str, pl.DataFrame]:
    """A part's tables from its files, but for the regions' own figures, of which the country asks nothing."""
    names = [table for table in part_tables(part) if table != "region_totals"]
    tables = {table: read_parquet(files[part_path(table, part, "parquet")]) for table in names}
    frames = {name: pl.from_arrow(table) for name, table in tables.items()}
    return {name: frame for name, frame in frames.items() if isinstance(frame, pl.DataFrame)}


def _province(
    workspace: Workspace,
    form: Form,
    rules: RuleSet,
    year: int,
    province: str,
    known: Sequence[KnownRegion],
    seen: Mapping[str, Seen],
) -> _Part:
    counting = {region.code: counting_release(workspace.out, region.code, year) for region in known}
    path, key = rollup_part_path(workspace.data, year, province), _part_key(known, counting, form.edition)
    files = recall(path, key, dict[str, bytes])
    stand = {code: found for code, found in counting.items() if isinstance(found, Counting)}
    if files is not None:
        looked = {code: intact(workspace.out, found, year, seen.get(code)) for code, found in stand.items()}
        if all(whole for whole, _ in looked.values()):
            return _Part(files, False, {code: one for code, (_, one) in looked.items() if one is not None})
    read = {code: released_totals(workspace.out, found, year) for code, found in stand.items()}
    standing: dict[str, Standing] = {
        code: read[code][0] if isinstance(found, Counting) else found for code, found in counting.items()
    }
    files = part_files(province, roll_up_province(form, rules, year, province, known, standing), form)
    if not any(isinstance(found, Unusable) for found in standing.values()):
        remember(path, key, files)  # a damaged release may be restored under the same name
    return _Part(files, True, {code: one for code, (_, one) in read.items() if one is not None})


def _provinces(
    workspace: Workspace, form: Form, rules: RuleSet, year: int, known: Sequence[KnownRegion]
) -> dict[str, _Part]:
    path, key = rollup_part_path(workspace.data, year, "seen"), program_key(OF_PARTS)
    before = recall(path, key, dict[str, Seen]) or {}
    parts = {}
    for province in sorted({province_of(region.code) for region in known}):
        own = [region for region in known if province_of(region.code) == province]
        parts[province] = _province(workspace, form, rules, year, province, own, before)
    now = {code: one for part in parts.values() for code, one in part.seen.items()}
    if now != before:
        remember(path, key, now)
    return parts


def _checked(
    workspace: Workspace, form: Form, rules: RuleSet, year: int, files: dict[str, bytes], frames: Mapping[str, Frames]
) -> tuple[dict[str, list[Finding]], tuple[str, ...]]:
    """The errors about the package by check, and the error rules that the pandera schema finds broken.

    A province that passed both before, with the same files and the same program, is not checked again.
    """

    def known(part: str, key: str) -> PartFacts | None:
        return recall(rollup_part_path(workspace.data, year, f"{part}-checked"), key, PartFacts)

    check = check_rollup_files(files, program_key(OF_CHECKS, CHECKED_WITH), known)
    broken: dict[str, tuple[str, ...]] = {}
    regions = [tables["rollup_regions"] for part, tables in frames.items() if part != COUNTRY]
    for part, tables in frames.items():
        if part not in check.kept and regions:
            own = pl.concat(regions) if part == COUNTRY else tables["rollup_regions"]
            broken[part] = _broken(form, rules, tables, own)
    for part, found in check.clean.items():
        if not broken[part]:
            remember(rollup_part_path(workspace.data, year, f"{part}-checked"), found.key, found.facts)
    return by_check(check.findings), tuple(dict.fromkeys(rule for found in broken.values() for rule in found))


def _broken(form: Form, rules: RuleSet, tables: Frames, regions: pl.DataFrame) -> tuple[str, ...]:
    """The error rules that the pandera schema finds broken in a part's totals, but for those that regions passed on."""
    totals, findings = tables["rollup_totals"], tables["rollup_findings"]
    inherited = findings.filter(pl.col("rule") == "rollup_rule_inherited")["cells"].to_list()
    powerful = powerful_places(regions, totals["place"].unique().to_list())
    broken = gate(form, rules, totals_wide(form, wide_types(form, rules), totals, powerful))
    return tuple(
        rule for rule in broken if rule not in rules.by_id or ";".join(rules.by_id[rule].cells) not in inherited
    )


def _counted(workspace: Workspace, year: int, counted: int) -> dg.AssetCheckResult:
    """Whether there is anything to add. Where all was withdrawn the check warns, and the roll-up goes the same way."""
    if counted:
        return _result("regions_counted", [])
    ground = ground_of(workspace.out, year)
    if ground is None:
        said = ("没有任何地区的数据可以汇总，请先发布。", "No region has a release to add up; publish one first.")
    elif ground.lost:
        said = (
            f"{REASON_GONE[0]}，现行汇总 {ground.release} 随之撤回。",
            f"{ground.release}, the roll-up that counts, is withdrawn: {REASON_GONE[1]}.",
        )
        return _result("regions_counted", [said], dg.AssetCheckSeverity.WARN)
    else:
        named = "、".join((ground.others or ())[:20]) or ROLLUP
        said = (
            f"没有任何地区的数据可以汇总，但现行汇总 {ground.release} 计入的数据没有撤回记录：{named}。"
            "发布目录可能不完整，请从备份恢复后再运行。",
            f"No region has a release to add up, yet no record says that what {ground.release} adds was withdrawn:"
            f" {named}. The folder of releases may be incomplete; restore it from a backup and run again.",
        )
    return _result("regions_counted", [said])


def _result(
    check: str, problems: list[tuple[str, str]], severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> dg.AssetCheckResult:
    chinese = "\n".join(zh for zh, _ in problems[:20]) or "通过"
    english = "\n".join(en for _, en in problems[:20]) or "passed"
    return dg.AssetCheckResult(
        check_name=check,
        passed=not problems,
        severity=severity,
        metadata={REASON[0]: dg.MetadataValue.text(chinese), REASON[1]: dg.MetadataValue.text(english)},
    )


@dg.asset(
    group_name=GROUP,
    partitions_def=YEARS,
    kinds={"parquet", "csv"},
    io_manager_key="package",
    deps=["release"],  # of that year, of every region: Dagster takes YEARS for the dimension that it is
    check_specs=[
        dg.AssetCheckSpec(name, asset="rollup_package", blocking=True, description=description)
        for name, description in {**GATE, **PACKAGE_CHECKS}.items()
    ],
)
def rollup_package(
    context: dg.AssetExecutionContext, workspace: Workspace
) -> Iterator[dg.Output[dict[str, bytes]] | dg.AssetCheckResult]:
    """逐级汇总：已发布的县级汇总数按区划代码加到市、省、全国，附覆盖情况，发布前逐项检查。

    Released totals added up by GB/T 2260 prefix to cities, provinces and the country, with coverage; checked first.
    """
    year = int(context.partition_key)
    edition = edition_for(year)
    form, rules = load_form(edition), load_rules(edition)
    released = released_regions(workspace.out, year)
    known = known_regions(_declared(workspace, year), year, released)
    worked = _provinces(workspace, form, rules, year, known)
    parts = {province: part.files for province, part in worked.items()}
    codes = {region.code for region in known}
    unknown = [code for code in released if code not in codes]
    frames: dict[str, Frames] = {province: _frames(province, files) for province, files in parts.items()}
    country = roll_up_country(form, rules, year, frames, unknown)
    parts[COUNTRY] = part_files(COUNTRY, country, form)
    frames[COUNTRY] = country
    synthetic = [region.code for region in known if region.synthetic]
    files = build_rollup(year, form, form_cells(form), parts, synthetic)
    yield dg.Output(files, metadata=_shown(parts, [province for province, part in worked.items() if part.fresh]))
    yield _counted(workspace, year, country["rollup_places"]["regions_counted"][0])
    rows = [row for part in parts for row in part_rows(files, "rollup_findings", part) if row["severity"] == "error"]
    yield _result("no_rollup_errors", [(row["message_zh"], row["message_en"]) for row in rows])
    found, broken = _checked(workspace, form, rules, year, files, frames)
    yield _result("rules_hold", [(rule, rule) for rule in broken])
    for check, problems in found.items():
        yield _result(check, [(finding.message_zh, finding.message_en) for finding in problems])


def _shown(parts: Mapping[str, Mapping[str, bytes]], computed: list[str]) -> dict[str, Any]:
    places = [row for part, files in parts.items() for row in part_rows(files, "rollup_places", part)]
    found = [row for part, files in parts.items() for row in part_rows(files, "rollup_findings", part)]
    heads = {
        "place": "地域",
        "name_zh": "名称",
        "regions_known": "应有地区",
        "regions_counted": "计入",
        "bodies_accepted": "单位数",
        "missing": "未计入",
    }
    said = {"severity": "级别", "place": "地域", "region": "地区", "message_zh": "说明"}
    return {
        KNOWN: places[-1]["regions_known"] - places[-1]["regions_within"],
        COUNTED: places[-1]["regions_counted"],
        "重新计算的省 / provinces worked out": "、".join(computed) or "（无 / none）",
        "重新计算 / worked out": len(computed),
        "未变的省 / provinces unchanged": len(parts) - 1 - len(computed),
        "覆盖情况 / coverage": markdown(pl.DataFrame(places, infer_schema_length=None), heads),
        "核查结果 / findings": markdown(pl.DataFrame(found, infer_schema_length=None), said),
    }


@dg.asset(group_name=GROUP, partitions_def=YEARS, kinds={"datapackage"})
def rollup(
    context: dg.AssetExecutionContext, workspace: Workspace, rollup_package: dict[str, bytes]
) -> dg.MaterializeResult[None]:
    """发布汇总：市、省、全国汇总数的不可更改的版本，内容变了才有新版本；计入的数据全部撤回时，汇总也撤回。

    The immutable, content-addressed release of the roll-up; nothing new is made when nothing changed. It is withdrawn
    when everything that it adds was withdrawn.
    """
    year = int(context.partition_key)
    if json.loads(rollup_package[DESCRIPTOR])["x-coverage"]["regions_counted"] == 0:
        ground = ground_of(workspace.out, year)
        gone = withdraw_rollup(workspace.out, year, ground) if ground is not None else ()
        return dg.MaterializeResult(metadata={GONE: "、".join(gone), REASON[0]: " / ".join(REASON_GONE)})
    sign = signer(load_settings().signing_key)  # read here: no setting of a key lands in Dagster's records
    published = publish(rollup_package, workspace.out, ROLLUP, year, sign)
    return dg.MaterializeResult(metadata=release_view(published))


@dg.asset(group_name=GROUP, partitions_def=YEARS, kinds={"html"}, deps=["rollup"])
def rollup_portal(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult[None]:
    """门户的汇总页面：全国、各省、各市的页面并入开放数据门户，只重做有变化的部分。

    The pages of the country, provinces and cities in the portal; only what changed is built anew.
    """
    site = build_site(workspace.out, portal_path(workspace.out))
    return dg.MaterializeResult(
        metadata={
            "位置 / path": dg.MetadataValue.path(str(portal_path(workspace.out))),
            "页面 / pages": site.pages,
            "文件 / files": site.files,
        }
    )
