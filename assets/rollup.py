"""Roll-up: released county totals become totals of cities, provinces and the country, released in their turn.

Belongs here: when and in which partition it runs, and what blocks it. Does not belong here: how (pipelines/aggregate,
pipelines/publish). A year of its own partition: it reads what is released, whichever regions those are, and never
tables in progress. A province whose releases and settings are those of the last run is taken over as it stands.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.groups import ROLLUP as GROUP
from assets.partitions import YEARS
from assets.resources import Workspace
from assets.views import REASON, markdown, release_view
from pipelines.aggregate.body_cells import form_cells
from pipelines.aggregate.rollup import powerful_places, roll_up_country, roll_up_province, totals_wide
from pipelines.publish.package_checks import CHECKS as PACKAGE_CHECKS
from pipelines.publish.package_checks import check_package
from pipelines.publish.portal.site import build_site
from pipelines.publish.release import publish
from pipelines.publish.rollup_package import build_rollup, pack_part, part_files, part_rows, unpack_part
from pipelines.publish.rollup_source import Counting, counting_release, is_intact, released_regions, released_totals
from pipelines.publish.signature import signer
from pipelines.publish.tables import read_parquet
from pipelines.regions import known_regions
from pipelines.settings import load_settings
from pipelines.storage import ROLLUP, portal_path, rollup_part_path, sha256, write_atomic
from pipelines.validate.bulk import gate
from schemas.form import Form, edition_for, load_form
from schemas.frames import wide_types
from schemas.rollup import COUNTRY, KnownRegion, Standing, Unusable, province_of
from schemas.rollup_descriptor import part_path, part_tables
from schemas.rules import RuleSet, load_rules

GATE = {
    "regions_counted": "至少一个地区有可用的已发布数据 / at least one region has a release that can be added",
    "no_rollup_errors": "没有重复计算、损坏的版本或不平衡 / nothing is counted twice, damaged or unbalanced",
    "rules_hold": "汇总数符合全部规则（pandera）/ the totals obey every error rule (pandera)",
}


def _part_key(known: list[KnownRegion], counting: Mapping[str, Counting | Unusable | None], edition: str) -> str:
    """The hash of all that a province's tables depend on: its regions' settings and releases, and this program."""
    lines = [program_key(), edition]
    lines += [f"{region!r} {counting[region.code]!r}" for region in known]
    return sha256("\n".join(lines).encode())


def program_key() -> str:
    """The hash of the code and declarations that make a part, so that a newer program works it out anew."""
    project = Path(__file__).resolve().parents[1]
    files = [f"pipelines/aggregate/{name}.py" for name in ("rollup", "rollup_regions")]
    files += [f"pipelines/publish/{name}.py" for name in ("rollup_package", "rollup_source", "tables", "arrow")]
    files += ["schemas/rollup.py", "schemas/tables.toml", "schemas/findings.toml"]
    files += sorted(path.relative_to(project).as_posix() for path in (project / "schemas" / "forms").glob("*.toml"))
    return sha256("".join(sha256((project / name).read_bytes()) for name in files).encode())


def _frames(part: str, files: Mapping[str, bytes]) -> dict[str, pl.DataFrame]:
    """A part's tables from its files."""
    tables = {table: read_parquet(files[part_path(table, part, "parquet")]) for table in part_tables(part)}
    frames = {name: pl.from_arrow(table) for name, table in tables.items()}
    return {name: frame for name, frame in frames.items() if isinstance(frame, pl.DataFrame)}


def _province(
    workspace: Workspace, form: Form, rules: RuleSet, year: int, province: str, known: list[KnownRegion]
) -> tuple[dict[str, bytes], bool]:
    """A province's files, and whether they had to be worked out."""
    counting = {region.code: counting_release(workspace.out, region.code, year) for region in known}
    kept, key = rollup_part_path(workspace.data, year, province), _part_key(known, counting, form.edition)
    stand = [found for found in counting.values() if isinstance(found, Counting)]
    if kept.exists() and all(is_intact(workspace.out, found, year) for found in stand):
        files = unpack_part(kept.read_bytes(), key)
        if files is not None:
            return files, False
    standing: dict[str, Standing] = {
        code: released_totals(workspace.out, found, year) if isinstance(found, Counting) else found
        for code, found in counting.items()
    }
    files = part_files(province, roll_up_province(form, rules, year, province, known, standing), form)
    if not any(isinstance(found, Unusable) for found in standing.values()):
        write_atomic(kept, pack_part(key, files))  # a damaged release may be restored under the same name
    return files, True


def _broken(form: Form, rules: RuleSet, frames: Mapping[str, Mapping[str, pl.DataFrame]]) -> tuple[str, ...]:
    """The error rules that the pandera schema finds broken in the totals, but for those that regions passed on."""
    totals = pl.concat([tables["rollup_totals"] for tables in frames.values()])
    listed = [tables["rollup_regions"] for part, tables in frames.items() if part != COUNTRY]
    if not listed:
        return ()  # no region, no figure
    regions = pl.concat(listed)
    findings = pl.concat([tables["rollup_findings"] for tables in frames.values()])
    inherited = findings.filter(pl.col("rule") == "rollup_rule_inherited")["cells"].to_list()
    powerful = powerful_places(regions, totals["place"].unique().to_list())
    broken = gate(form, rules, totals_wide(form, wide_types(form, rules), totals, powerful))
    return tuple(
        rule for rule in broken if rule not in rules.by_id or ";".join(rules.by_id[rule].cells) not in inherited
    )


def _result(check: str, problems: list[tuple[str, str]]) -> dg.AssetCheckResult:
    chinese = "\n".join(zh for zh, _ in problems[:20]) or "通过"
    english = "\n".join(en for _, en in problems[:20]) or "passed"
    return dg.AssetCheckResult(
        check_name=check,
        passed=not problems,
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
    known = known_regions(Path(workspace.regions), year, released)
    provinces = sorted({province_of(region.code) for region in known})
    parts: dict[str, dict[str, bytes]] = {}
    computed: list[str] = []
    for province in provinces:
        own = [region for region in known if province_of(region.code) == province]
        parts[province], fresh = _province(workspace, form, rules, year, province, own)
        computed += [province] if fresh else []
    codes = {region.code for region in known}
    unknown = [code for code in released if code not in codes]
    frames = {province: _frames(province, files) for province, files in parts.items()}
    country = roll_up_country(form, rules, year, frames, unknown)
    parts[COUNTRY] = part_files(COUNTRY, country, form)
    frames[COUNTRY] = country
    synthetic = [region.code for region in known if region.synthetic]
    files = build_rollup(year, form, form_cells(form), parts, synthetic)
    yield dg.Output(files, metadata=_seen(parts, computed))
    nothing = country["rollup_places"]["regions_counted"][0] == 0
    said = ("没有任何地区的数据可以汇总，请先发布。", "No region has a release to add up; publish one first.")
    yield _result("regions_counted", [said] if nothing else [])
    rows = [row for part in parts for row in part_rows(files, "rollup_findings", part) if row["severity"] == "error"]
    yield _result("no_rollup_errors", [(row["message_zh"], row["message_en"]) for row in rows])
    yield _result("rules_hold", [(rule, rule) for rule in _broken(form, rules, frames)])
    for check, problems in check_package(files).items():
        yield _result(check, [(finding.message_zh, finding.message_en) for finding in problems])


def _seen(parts: Mapping[str, Mapping[str, bytes]], computed: list[str]) -> dict[str, Any]:
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
    """发布汇总：市、省、全国汇总数的不可更改的版本，内容变了才有新版本。

    The immutable, content-addressed release of the roll-up; nothing new is made when nothing changed.
    """
    sign = signer(load_settings().signing_key)  # read here: no setting of a key lands in Dagster's records
    published = publish(rollup_package, workspace.out, ROLLUP, int(context.partition_key), sign)
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
