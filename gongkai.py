"""The front door: the command ``gongkai``. Each subcommand loads only what it needs, Dagster only what it records.

Belongs here: reading the command line, printing, exit codes, carrying tables from wing to wing. Does not belong here:
any of the work itself.

Exit codes: 0 done and clean; 1 errors found, or the gate stopped publication; 2 a mistake in the call, an unreadable
file, or a run that failed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import msgspec

from pipelines.settings import Settings, SettingsError, load_settings
from schemas.declaration import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dagster import AssetMaterialization

    from assets.headless import Outcome
    from schemas.findings import Finding
    from schemas.intake import ReadFile
    from schemas.region import Body, Region

FORMATS = click.Choice(["text", "json"])
REGION_HELP = "行政区划代码 / GB/T 2260 code, such as 511725."
YEAR_HELP = "报告年度 / report year, such as 2023."


def fail(chinese: str, english: str) -> NoReturn:
    """Answer a mistake with one clear line and exit code 2."""
    raise click.ClickException(f"{chinese} {english}")


class _Front(click.Group):
    """Answers declared mistakes (settings, regions, forms) with one line, never a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except (DeclarationError, SettingsError) as error:
            raise click.ClickException(str(error)) from None
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            from pipelines.faults import explained

            words = explained(type(error).__name__, str(error))
            if words is None:
                raise
            where = getattr(error, "filename", None)
            raise click.ClickException(" ".join([f"“{where}”：{words[0]}" if where else words[0], words[1]])) from None


click.ClickException.exit_code = 2


def _examples(*lines: str) -> str:
    return "\b\n例 / Examples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    cls=_Front,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_examples("gongkai check 报表.xlsx", "gongkai run --region 511725 --year 2023"),
)
@click.version_option(package_name="gongkai")
def main() -> None:
    """公开 Gongkai：政府信息公开年度报告，从报表到可核验的开放数据。

    From county disclosure returns, as they arrive, to verified open data.
    """


def _quiet_storage(*places: str) -> None:
    """Where data are on other storage: no traces of its library beside the fault that is told in words."""
    if any("://" in where for where in places):
        import logging

        logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def _settings(data: str | None = None, out: str | None = None) -> Settings:
    """The settings, with options put into the environment so that every part of the process sees the same."""
    settings = load_settings(data=data, out=out)
    _quiet_storage(settings.data, settings.out)
    for where in (settings.data, settings.out):
        if "://" in where:
            from pipelines.faults import PlaceError, usable

            try:
                usable(where)
            except PlaceError as error:
                raise click.ClickException(str(error)) from None
    os.environ["GONGKAI_DATA"], os.environ["GONGKAI_OUT"] = settings.data, settings.out
    os.environ["GONGKAI_REGIONS"] = settings.regions
    return settings


def _json(value: object) -> None:
    encoded = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode(value)
    click.echo(msgspec.json.format(encoded, indent=2).decode())


def _read(path: Path) -> ReadFile:
    from pipelines.ingest.limits import limits_of
    from pipelines.ingest.sandbox import read_one

    if not path.is_file():
        fail(f"没有文件“{path}”，请核对路径。", f"There is no file {str(path)!r}; check the path.")
    return read_one(path, limits=limits_of(load_settings()))


def _body_of(read: ReadFile) -> tuple[str | None, Region | None]:
    """The roster code of a file's body, looked for in every region, and its region."""
    from pipelines.names import find_body
    from pipelines.regions import load_region, region_codes

    root = Path(load_settings().regions)
    for code in region_codes(root):
        region = load_region(root, code)
        if region.body(read.body_code):
            return read.body_code, region
        found = find_body(region, read.body_name) if read.body_name else None
        if found:
            return found.code, region
    return read.body_code or None, None


@main.command(epilog=_examples("gongkai extract 报表.xlsx --format json"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", type=FORMATS, default="text", help="输出格式 / output format.")
def extract(file: Path, form: str) -> None:
    """读出一个文件里的每一格，逐字照录，不作判断。Read every cell of a file, verbatim."""
    from schemas.findings import number_text

    read = _read(file)
    if form == "json":
        _json(
            {
                "file": str(file),
                "sha256": read.sha256,
                "form": read.form,
                "body": _body_of(read)[0],
                "body_name": read.body_name or None,
                "year": read.year,
                "cells": [
                    {"cell": c.cell, "value": c.value, "raw": c.raw, "state": c.state, "at": c.at} for c in read.cells
                ],
                "claims": [{"cell": c.cell, "value": c.value, "text": c.text, "at": c.at} for c in read.claims],
                "problems": [_finding(problem) for problem in read.problems],
            }
        )
    else:
        for cell in read.cells:
            click.echo(f"{cell.cell}\t{number_text(cell.value)}\t{cell.raw or ''}\t{cell.state}\t{cell.at}")
        for problem in read.problems:
            click.echo(f"{problem.message_zh} {problem.message_en}", err=True)
    sys.exit(0 if read.readable else 2)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "cells": list(finding.cells),
        "expected": finding.expected,
        "found": finding.found,
        "difference": finding.difference,
        "suspected": finding.suspected or None,
        "proposed": finding.proposed,
        "message_zh": finding.message_zh,
        "message_en": finding.message_en,
    }


@main.command(epilog=_examples("gongkai check 报表.xlsx", "gongkai check 2023.xlsx --previous 2022.xlsx --format json"))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--previous", type=click.Path(path_type=Path), help="上一年度的报表 / last year's return.")
@click.option("--form", "edition", help="表式版本 / edition of the form, such as 2021 (default: that of the year).")
@click.option("--format", "form", type=FORMATS, default="text", help="输出格式 / output format.")
@click.option("--explain", type=click.Choice(["best", "all"]), default="best", help="列出全部改法 / list every change.")
def check(files: Sequence[Path], previous: Path | None, edition: str | None, form: str, explain: str) -> None:
    """核查报表：哪里不对、为什么、应该是多少。Check returns: what is wrong, why, what it should be."""
    from pipelines.publish.receipt_text import receipt_text
    from pipelines.validate.check import check_file
    from schemas.form import editions, load_form

    if edition is not None and edition not in editions():
        fail(
            f"没有 {edition} 年版的表式，现有：{'、'.join(editions())}。",
            f"There is no edition {edition}; there are: {', '.join(editions())}.",
        )
    before = _read(previous) if previous else None
    checked = []
    for path in files:
        read = _read(path)
        _, region = _body_of(read)
        attributes = frozenset({"rule_making_power"} if region and region.settings.rule_making_power else ())
        result = check_file(read, before, edition, attributes=attributes, explain_all=explain == "all")
        checked.append((path, read, result))
    if form == "json":
        _json(
            {
                "files": [
                    {
                        "file": str(path),
                        "status": result.status,
                        "findings": [_finding(finding) for finding in result.findings],
                        "explanations": result.explanations,
                    }
                    for path, _, result in checked
                ]
            }
        )
    else:
        for path, read, result in checked:
            code, region = _body_of(read)
            click.echo(
                receipt_text(
                    load_form(result.edition),
                    region,
                    read.year,
                    region.body(code) if region and code else None,
                    result.findings,
                    result.explanations,
                    {cell.cell: cell.value for cell in read.cells},
                    {cell.cell: cell.raw for cell in read.cells},
                    str(path),
                    result.status,
                    addresses={cell.cell: cell.at for cell in read.cells},
                    columns=shutil.get_terminal_size().columns,
                    colour=sys.stdout.isatty(),
                ),
                nl=False,
            )
    unreadable = any(result.status == "unreadable" for _, _, result in checked)
    errors = any(finding.severity == "error" for _, _, result in checked for finding in result.findings)
    sys.exit(2 if unreadable else 1 if errors else 0)


def _region(settings: Settings, code: str) -> Region:
    from pipelines.regions import load_region

    return load_region(Path(settings.regions), code)


def _check_year(year: int) -> None:
    from schemas.form import edition_for

    try:
        edition_for(year)
    except KeyError:
        fail(f"{year} 年度没有对应的表式。", f"No edition of the form covers report year {year}.")


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """For a process of one run: what is loaded here stays to the end, so garbage is never looked for among it."""
    import gc

    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(20_000, 20, 20)


@main.command(epilog=_examples("gongkai run --region 511725 --year 2023"))
@click.option("--region", required=True, help=REGION_HELP)
@click.option("--year", required=True, type=int, help=YEAR_HELP)
@click.option("--data", help="数据目录 / data folder (default: GONGKAI_DATA or ./data).")
@click.option("--out", help="发布目录 / release folder (default: GONGKAI_OUT or ./out).")
@click.option(
    "--job",
    type=click.Choice(["annual_report", "check_only", "publish", "push"]),
    default="annual_report",
    show_default=True,
    help="全部、只核查不发布、只发布不做回执、只推送到门户 / everything, check without publishing, publish without "
    "receipts, only push to the portal what was released.",
)
def run(region: str, year: int, data: str | None, out: str | None, job: str) -> None:
    """从收件箱到发布，整个流程运行一次。Run the whole pipeline, from the inbox to the release."""
    settings = _settings(data, out)
    declared = _region(settings, region)
    _check_year(year)
    with _loading():
        if settings.executor == "in_process" and job != "push":
            from pipelines.ingest.ahead import read_ahead
            from pipelines.ingest.limits import limits_of

            read_ahead(settings.data, region, (year - 1, year), settings.workers, limits_of(settings))
        from assets.headless import run_region_year, step_names
        from pipelines.aggregate.gate import CHECKS
        from pipelines.storage import board_path

        steps = step_names(job)
    click.echo(f"{declared.settings.name_zh}（{region}）{year} 年度 / {declared.settings.name_en}, report year {year}")
    with _progress(steps) as report:
        outcome = run_region_year(settings.data, region, year, job, report)
    for note in outcome.notes:
        click.echo(f"注意 / note: {note}", err=True)
    counts = outcome.counts
    if counts.bodies:
        click.echo(
            f"采用 {counts.accepted}/{counts.bodies} 个单位的报表，"
            f"错误 {counts.errors} 个，提醒 {counts.warnings} 个。 "
            f"{counts.accepted} of {counts.bodies} returns accepted, {counts.errors} error(s), "
            f"{counts.warnings} warning(s)."
        )
    if outcome.status == "pushed":
        click.echo(f"门户：{outcome.path}，版本 {outcome.release}  The portal shows release {outcome.release}.")
        return
    if job not in ("publish", "push") and outcome.status != "failed":
        board = board_path(settings.data, region, year) / "index.html"
        click.echo(f"报送进度和回执：{board}  The board and the receipts are there.")
    if outcome.status == "checked":
        sys.exit(1 if counts.errors else 0)
    if outcome.status in ("published", "nothing_new"):
        said = ("已发布", "Published") if outcome.status == "published" else ("没有变化，未发布新版本", "Nothing new")
        click.echo(f"{said[0]}：{outcome.path}  {said[1]}: release {outcome.release}")
        if job == "annual_report":
            click.echo("查看门户：gongkai portal  See the portal: gongkai portal")
        _release_note(settings.out, region, year, outcome.release)
        return
    _not_published(outcome, CHECKS)


def _not_published(outcome: Outcome, titles: Mapping[str, Sequence[str]]) -> NoReturn:
    """Say why a run published nothing and leave: 1 where a check stopped it, 2 where it failed."""
    stopped = outcome.status == "stopped"
    click.echo("没有发布，原因如下： Not published, because:" if stopped else "运行失败： The run failed:", err=True)
    for name, chinese, english in outcome.reasons:
        click.echo(f"\n[{name}] {' '.join(titles.get(name, ()))}".rstrip(), err=True)
        for line, other in itertools.zip_longest(chinese.splitlines(), english.splitlines(), fillvalue=""):
            click.echo(f"- {line}" + (f"\n  {other}" if other != line else ""), err=True)
    sys.exit(1 if stopped else 2)


@main.command(epilog=_examples("gongkai rollup --year 2023", "gongkai rollup --year 2023 --out out"))
@click.option("--year", required=True, type=int, help=YEAR_HELP)
@click.option("--data", help="数据目录 / data folder (default: GONGKAI_DATA or ./data).")
@click.option("--out", help="发布目录 / release folder (default: GONGKAI_OUT or ./out).")
def rollup(year: int, data: str | None, out: str | None) -> None:
    """把各地区已发布的数据汇总到市、省、全国并发布。Add up what the regions released, and release the totals."""
    settings = _settings(data, out)
    _check_year(year)
    from assets.headless import ROLL_UP, run_roll_up, step_names
    from assets.rollup import GATE

    click.echo(f"汇总 {year} 年度 / Roll-up, report year {year}")
    with _progress(step_names(ROLL_UP)) as report:
        outcome = run_roll_up(settings.data, year, report)
    for note in outcome.notes:
        click.echo(f"注意 / note: {note}", err=True)
    covered = outcome.coverage
    if covered.known:
        click.echo(
            f"计入 {covered.counted}/{covered.known} 个地区。 {covered.counted} of {covered.known} regions are counted."
        )
    if outcome.status == "withdrawn":
        [(_, why, _)] = outcome.reasons
        click.echo(f"汇总已撤回：{outcome.release}（{why}）  The roll-up was withdrawn.")
    elif outcome.status in ("published", "nothing_new"):
        said = ("已发布", "Published") if outcome.status == "published" else ("没有变化，未发布新版本", "Nothing new")
        click.echo(f"{said[0]}：{outcome.path}  {said[1]}: release {outcome.release}")
        click.echo("查看门户：gongkai portal  See the portal: gongkai portal")
    else:
        _not_published(outcome, {name: [title] for name, title in GATE.items()})


def _release_note(out: str, region: str, year: int, release: str) -> None:
    """Say in short what the release changed against the one before; all of it is in history.json and the portal."""
    from pipelines.publish.changes import change_lines
    from pipelines.publish.history import read_history

    history = read_history(out, region, year)
    event = next((e for e in reversed(history.events) if e.event == "published" and e.id == release), None)
    if event is None or not event.previous:
        return
    count = len(event.changes)
    click.echo(f"与上一版本 {event.previous} 相比，{count} 个数字有变化。 {count} figures differ from that release.")
    for chinese, english in change_lines(event.changes):
        click.echo(f"- {chinese} {english}".rstrip())


class _progress:  # noqa: N801 - used as a function
    """A progress display on the terminal; plain lines where there is none."""

    def __init__(self, steps: Sequence[str]) -> None:
        self._steps = steps
        self._live: Any = None

    def __enter__(self) -> Callable[[str, str], None]:
        if not sys.stderr.isatty():
            return self._plain
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        self._live = Progress(*columns, console=Console(stderr=True))
        self._task = self._live.add_task("", total=len(self._steps))
        self._live.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def _plain(self, step: str, state: str) -> None:
        if state == "said":
            click.echo(f"  {step}", err=True)
        elif state != "started":
            click.echo(f"  {'完成 done' if state == 'finished' else '停止 stopped'}  {step}", err=True)

    def _show(self, step: str, state: str) -> None:
        self._live.update(self._task, description=step, advance=0 if state in ("started", "said") else 1)


def _find(region: Region, name: str) -> Body:
    from pipelines.names import find_body

    body = region.body(name) or find_body(region, name)
    if body is None:
        fail(
            f"名录中没有单位“{name}”，请用代码（如 {region.bodies[0].code}）或全称。",
            f"There is no body {name!r} on the roster; use its code or full name.",
        )
    return body


@main.command(
    epilog=_examples(
        "gongkai template --year 2023 --body 511725-D02 -o 报表.xlsx",
        "gongkai template --year 2023 --region 511725 --all -o 下发",
    )
)
@click.option("--year", required=True, type=int, help=YEAR_HELP)
@click.option("--body", help="报送单位代码或名称 / the body's code or name.")
@click.option("--all", "everybody", is_flag=True, help="名录中每个单位一份 / one for each body of the roster.")
@click.option("--region", help=REGION_HELP + " 默认取单位代码的前六位 (default: from the body's code).")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="写到：一份时为文件，--all 时为文件夹 / where to write: a file, with --all a folder.",
)
def template(year: int, body: str | None, everybody: bool, region: str | None, output: Path) -> None:
    """生成填报用的电子表格。Make the fill-in workbook of a body, or of all bodies."""
    from pipelines.publish.workbook import fill_in_workbook
    from pipelines.storage import write_atomic
    from schemas.form import edition_for, load_form

    settings = _settings()
    _check_year(year)
    if everybody == bool(body):
        fail("请用 --body 指定一个单位，或用 --all 为全部单位生成。", "Name one body with --body, or say --all.")
    if everybody and not region:
        fail("用 --all 时请用 --region 指定地区。", "With --all, name the region with --region.")
    declared = _region(settings, region or (body or "").split("-", 1)[0])
    form = load_form(edition_for(year))
    if body:
        if output.is_dir():
            fail(f"“{output}”是文件夹，请写文件名。", f"{str(output)!r} is a folder; give the name of a file.")
        found = _find(declared, body)
        write_atomic(output, fill_in_workbook(form, declared, found, year))
        click.echo(f"已生成 {output}（{found.name_zh}，{year} 年度）。 Written for {found.code}, report year {year}.")
        return
    if output.is_file():
        fail(f"“{output}”是文件，请写文件夹名。", f"{str(output)!r} is a file; give the name of a folder.")
    roster = declared.roster(year)
    for each in roster:
        name = "".join("_" if letter in '\\/:*?"<>|' else letter for letter in each.name_zh)  # not valid everywhere
        write_atomic(output / f"{each.code} {name}.xlsx", fill_in_workbook(form, declared, each, year))
    click.echo(f"已在 {output} 生成 {len(roster)} 份（{year} 年度）。 {len(roster)} workbooks, report year {year}.")


@main.command(epilog=_examples("gongkai rules", "gongkai rules --format json", "gongkai rules --format html"))
@click.option("--form", "edition", default="2021", help="表式版本 / edition of the form.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    help="输出格式 / output format (html: one page for people).",
)
def rules(edition: str, form: str) -> None:
    """列出全部勾稽关系和核查规则。List every accounting rule and kind of finding."""
    from pipelines.publish.rulebook import rulebook_page, rulebook_rows, rulebook_text
    from schemas.form import editions

    if edition not in editions():
        fail(
            f"没有 {edition} 年版的表式，现有：{'、'.join(editions())}。",
            f"There is no edition {edition}; there are: {', '.join(editions())}.",
        )
    if form == "json":
        _json(rulebook_rows(edition))
    elif form == "html":
        sys.stdout.buffer.write(rulebook_page(edition))
    else:
        click.echo(rulebook_text(edition, shutil.get_terminal_size().columns), nl=False)


@main.command(epilog=_examples("gongkai sample", "gongkai sample --if-absent --data data"))
@click.option("--data", help="数据目录 / data folder (default: GONGKAI_DATA or ./data).")
@click.option(
    "--if-absent", is_flag=True, help="收件箱已有文件时什么也不做 / do nothing where returns are there already."
)
def sample(data: str | None, if_absent: bool) -> None:
    """生成渠县 2022、2023 年度的示例报表（虚构数据）。Make the synthetic returns of the sample county."""
    from pipelines.sample.inbox import write_sample
    from pipelines.storage import inbox_path

    settings = _settings(data)
    written = write_sample(settings.data, _region(settings, "511725"), if_absent=if_absent)
    where = inbox_path(settings.data, "511725", 2023).parent
    said = f"已生成 {len(written)} 个示例文件" if written else "示例文件已在"
    click.echo(f"{said}：{where}（虚构数据）。 {len(written)} synthetic files written.")


@main.command(
    epilog=_examples(
        "gongkai verify out/511725/2023/latest", "gongkai verify out/511725/2023/latest --signers allowed_signers"
    )
)
@click.argument("release")
@click.option(
    "--signers",
    type=click.Path(path_type=Path, dir_okay=False),
    help="可信签名人名单；给出时必须由其中一人签名 / allowed signers; given, one of them must have signed "
    "(default: GONGKAI_ALLOWED_SIGNERS).",
)
@click.option("--format", "form", type=FORMATS, default="text", help="输出格式 / output format.")
def verify(release: str, signers: Path | None, form: str) -> None:
    """核验一个已发布的版本：校验和、签名、数据包、合计、勾稽关系。Verify a release, wherever it is."""
    from pipelines.publish.verify import verify as verify_release

    _quiet_storage(release)
    listed = load_settings().allowed_signers
    if signers is not None and not signers.is_file():
        fail(f"没有签名人名单“{signers}”，请核对路径。", f"There is no file {str(signers)!r}; check the path.")
    report = verify_release(release, signers or (Path(listed) if listed else None))
    if form == "json":
        _json(
            {
                "release": release,
                "id": report.id,
                "valid": report.valid,
                "signed": report.signed,
                "signed_by": report.signed_by,
                "findings": [_finding(f) for f in report.findings],
            }
        )
    else:
        for finding in report.findings:
            click.echo(f"- {finding.message_zh} {finding.message_en}")
        if report.signed_by:
            click.echo(f"签名人：{report.signed_by}。 Signed by {report.signed_by}.")
        elif report.id and not report.signed:
            click.echo("没有签名。 Not signed.")
        click.echo("核验通过。 Valid." if report.valid else "核验不通过。 Not valid.")
    sys.exit(0 if report.valid else 1)


@main.command(
    epilog=_examples(
        "gongkai withdraw cf695f1582e83cc0 --region 511725 --year 2023 --reason 合计有误 --approved-by 县政府办公室"
    )
)
@click.argument("release")
@click.option("--region", required=True, help=REGION_HELP)
@click.option("--year", required=True, type=int, help=YEAR_HELP)
@click.option("--reason", required=True, help="原因，会公布 / why; it is published.")
@click.option("--approved-by", required=True, help="批准人，会公布 / who approved it; it is published.")
@click.option("--out", help="发布目录 / release folder (default: GONGKAI_OUT or ./out).")
def withdraw(release: str, region: str, year: int, reason: str, approved_by: str, out: str | None) -> None:
    """撤回一个已发布的版本，重新生成年度报告、目录和门户。Withdraw a release; what hangs on it is made anew.

    汇总和门户推送由运行中的 Dagster 自动跟进。The roll-up and the push to the portal follow where Dagster runs.
    """
    settings = _settings(out=out)
    declared = _region(settings, region)
    from assets.withdrawal import withdrawal_event
    from pipelines.publish.history import HistoryError
    from pipelines.publish.portal.releases import SiteError
    from pipelines.publish.release import ReleaseError
    from pipelines.publish.withdrawal import withdraw_release

    try:
        done = withdraw_release(
            settings.out, Path(settings.regions), settings.base_url, declared, year, release, reason, approved_by
        )
    except (ReleaseError, HistoryError, SiteError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"版本 {release} 此前已撤回。 It had been withdrawn before."
        if done.already
        else f"已撤回版本 {release}。 Withdrawn."
    )
    click.echo(
        f"现行版本：{done.current}。 The current release is {done.current}."
        if done.current
        else "没有现行版本了。 No release is left."
    )
    _after_withdrawal(settings, declared, year, withdrawal_event(region, year, release, done, reason, approved_by))


def _after_withdrawal(settings: Settings, declared: Region, year: int, event: AssetMaterialization) -> None:
    """Let what hangs on a withdrawal follow by itself where Dagster runs; else say what is to be done."""
    from assets.withdrawal import record_withdrawal
    from pipelines.publish.history import read_history
    from pipelines.storage import ROLLUP

    code = declared.settings.code
    steps = [f"gongkai rollup --year {year}"] if read_history(settings.out, ROLLUP, year).current else []
    if settings.ckan_url and declared.settings.ckan_organisation:
        steps.append(f"gongkai run --region {code} --year {year} --job push")
    try:
        follows = record_withdrawal(settings, event)
    except Exception as error:  # noqa: BLE001 - the withdrawal stands, whatever becomes of Dagster's records
        follows = False
        click.echo(
            f"撤回已完成，但没有记入 Dagster（{type(error).__name__}）。"
            " It was withdrawn, but could not be put into Dagster's records.",
            err=True,
        )
    if follows:
        click.echo("汇总和门户推送由运行中的 Dagster 自动跟进。 The roll-up and the push follow by themselves.")
    elif steps:
        click.echo("Dagster 没有运行，请接着运行： Dagster does not run; next:")
        for step in steps:
            click.echo(f"  {step}")


@main.command(epilog=_examples("gongkai scan data/tables/submissions --year 2023 --output scan"))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--year", type=int, required=True, help=YEAR_HELP)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="结果文件夹 / folder of the results.",
)
def scan(path: Path, year: int, output: Path) -> None:
    """一次核查大量报表（Parquet 宽表），写出全部问题、可能填错的单元格和合计。

    Check any number of submissions (wide Parquet tables) in one pass: findings, likely wrong cells, totals by region.
    PATH is a Parquet file or a folder of them; of files named after a year only those of --year are read.
    """
    _check_year(year)
    from pipelines.storage import write_atomic
    from pipelines.validate.scan import UnfitError, scan_dataset
    from schemas.form import edition_for, load_form
    from schemas.rules import load_rules

    every = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    of_other_years = {str(other) for other in range(1900, 2100) if other != year}
    files = [file for file in every if file == path or file.stem not in of_other_years]
    if not files:
        fail(f"“{path}”中没有 {year} 年度的 Parquet 文件。", f"No Parquet file for {year} in {path}.")
    form = load_form(edition_for(year))
    rules = load_rules(form.edition)
    try:
        tables, found = scan_dataset(form, rules, files)
    except (UnfitError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    for name, content in tables.items():
        write_atomic(output / name, content)
    for rule, count in sorted(found.counts.items(), key=lambda pair: -pair[1]):
        if count:
            title = rules.by_id[rule].title_zh if rule in rules.by_id else ""
            click.echo(f"{count:>9,}  {rule}  {title}")
    click.echo(
        f"报表 {found.submissions:,} 份（{found.regions:,} 个地区），有误 {found.broken:,} 份，"
        f"其中 {found.explained:,} 份指出了可能填错的单元格。 "
        f"{found.submissions:,} submissions of {found.regions:,} regions; {found.broken:,} with errors, "
        f"{found.explained:,} of them with a likely wrong cell."
    )
    click.echo(f"已写入 {output}：{'、'.join(tables)}  Written to {output}: {', '.join(tables)}")
    sys.exit(1 if found.broken else 0)


@main.command(epilog=_examples("gongkai trace out/511725/2023/latest requests.received.total"))
@click.argument("release")
@click.argument("cell")
def trace(release: str, cell: str) -> None:
    """列出一个公布数字背后的单位、文件和位置。List the bodies, files and places behind a published figure."""
    from pipelines.publish.source import SourceError
    from pipelines.publish.trace import TraceError
    from pipelines.publish.trace import trace as trace_cell
    from schemas.findings import number_text

    _quiet_storage(release)
    try:
        found = trace_cell(release, cell)
    except (SourceError, TraceError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"{found.label_zh} {found.label_en}：{number_text(found.total)} {found.unit}（{found.bodies} 个单位 bodies）"
    )
    for row in found.rows:
        place = f"{row.file_sha256[:16]}\t{row.address or ''}"
        click.echo(f"{row.body}\t{row.name}\t{number_text(row.value)}\t{row.raw or ''}\t{place}")


@main.command(epilog=_examples("gongkai portal", "gongkai portal --port 8001 --out out"))
@click.option("--host", default="127.0.0.1", show_default=True, help="地址 / address to listen on.")
@click.option("--port", default=8000, show_default=True, type=int, help="端口 / port.")
@click.option("--out", help="发布目录 / release folder (default: GONGKAI_OUT or ./out).")
def portal(host: str, port: int, out: str | None) -> None:
    """在本机打开开放数据门户。Serve the published portal site on this machine."""
    from pipelines.publish.serve import make_server
    from pipelines.storage import brought, portal_path

    site = portal_path(_settings(out=out).out)
    if not (site / "index.html").is_file():
        fail(
            f"“{site}”里还没有门户网站，请先运行 gongkai run。",
            f"There is no portal at {str(site)!r} yet; run gongkai run first.",
        )
    with brought(site) as folder:
        try:
            server = make_server(folder, host, port)
        except OSError as error:
            fail(f"端口 {port} 不能用，请换一个。", f"Port {port} cannot be used ({error.strerror}); choose another.")
        click.echo(f"http://{host}:{server.server_address[1]}/  （按 Ctrl+C 结束 / stop with Ctrl+C）")
        with server, contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


@main.command("settings", epilog=_examples("gongkai settings", "gongkai settings --format json"))
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
def show_settings(form: str) -> None:
    """核对并列出全部设置：现值、来自哪里、含义。Check and list every setting, where it comes from, what it means."""
    from pipelines.settings import declared, given_settings, settings_page

    if form == "markdown":
        click.echo(settings_page(), nl=False)
        return
    load_settings()
    found = given_settings()
    rows = [
        {
            "name": each.name,
            "value": "***" if each.secret and found[each.name].text else found[each.name].text,
            "origin": found[each.name].origin,
            "place": found[each.name].place,
            "zh": each.zh,
            "en": each.en,
        }
        for each in declared()
    ]
    if form == "json":
        _json({"settings": rows})
        return
    origins = {"default": "默认 default", "file": "文件 file", "environment": "环境变量 environment"}
    for row in rows:
        click.echo(f"{row['name']} = {row['value'] or '（未设 / not set）'}  （{origins[row['origin']]}）")
        click.echo(f"    {row['zh']} {row['en']}")


@main.command(epilog=_examples("gongkai ui", "gongkai ui --port 3001"))
@click.option("--host", default="127.0.0.1", show_default=True, help="地址 / address to listen on.")
@click.option("--port", default=3000, show_default=True, type=int, help="端口 / port.")
@click.option("--data", help="数据目录 / data folder (default: GONGKAI_DATA or ./data).")
@click.option("--out", help="发布目录 / release folder (default: GONGKAI_OUT or ./out).")
def ui(host: str, port: int, data: str | None, out: str | None) -> None:
    """打开 Dagster 操作界面。Open the Dagster UI."""
    from pipelines.settings import PROJECT

    settings = _settings(data, out)
    for name in ("GONGKAI_DATA", "GONGKAI_OUT", "GONGKAI_REGIONS"):
        if "://" not in os.environ[name]:
            os.environ[name] = str(Path(os.environ[name]).resolve())
    from assets.instance import dagster_home

    home, follows = dagster_home(settings)
    if not follows:
        click.echo(
            f"{home / 'dagster.yaml'} 经人工改动，不随设置更新；删除它即可重新生成。"
            " It was changed by hand and does not follow the settings; delete it to have it made anew."
        )
    command = ["dagster", "dev", "-w", str(PROJECT / "workspace.yaml"), "-h", host, "-p", str(port)]
    click.echo(f"http://{host}:{port}  （按 Ctrl+C 结束 / stop with Ctrl+C）")
    # Dagster recommends a newer command of a package that the project does not need.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:Function `dev_command` is superseded")
    os.execv(str(Path(sys.executable).with_name("dagster")), command)  # noqa: S606 - our own fixed command


if __name__ == "__main__":
    main()
