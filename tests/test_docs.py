"""The documentation says what is so: commands, targets, links, places, numbers, settings. Each check is seen to fire.

A check is a function from a document's text to problems, one line each. Real documents give none.
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache
from pathlib import Path

import click
import pytest

from benchmarks.report import RESULTS, load_results
from gongkai import main
from pipelines.aggregate.gate import CHECKS as GATE_CHECKS
from pipelines.publish.package_checks import CHECKS as PACKAGE_CHECKS
from pipelines.regions import load_region
from pipelines.settings import CONFIG_VARIABLE, declared, settings_page
from schemas.checks import load_checks
from tests.facts import FORM, REGION, REGIONS, RULES

ROOT = Path(__file__).resolve().parents[1]
DEADLINES = ("returns_deadline", "report_deadline")
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
DOCUMENTS = [ENGLISH, CHINESE, "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
DOCUMENTS += [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))]
Check = Callable[[str], list[str]]


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def shell_lines(text: str) -> list[str]:
    """The commands of the ```sh blocks of a document."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip() and not line.startswith("#")]


def spans(text: str) -> list[str]:
    """The pieces of a document's sentences that are set as code."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


# --- commands -----------------------------------------------------------------------------------------------


def command_problem(line: str, whole: bool) -> str:
    """What is wrong with a ``gongkai`` command line; ``whole``: it can be typed as it stands, nothing is left out."""
    _, *words = shlex.split(line, comments=True)
    front = click.Context(main, info_name="gongkai")
    if not words:
        return ""
    command = main.get_command(front, words[0])
    if command is None:
        return f"no such command: {line}"
    if not whole:
        known = {name for each in command.get_params(front) for name in each.opts}
        unknown = [word for word in words[1:] if word.startswith("-") and word not in known]
        return f"no such option {unknown[0]}: {line}" if unknown else ""
    try:
        command.make_context(words[0], words[1:], parent=front)
    except click.ClickException as error:
        return f"{error.format_message()}: {line}"
    except click.exceptions.Exit:
        pass  # --help and the like
    return ""


def commands(text: str) -> list[str]:
    typed = [command_problem(line, True) for line in shell_lines(text) if line.startswith("gongkai ")]
    named = [command_problem(span, False) for span in spans(text) if re.match(r"gongkai( |$)", span)]
    return [problem for problem in typed + named if problem]


def targets(text: str) -> list[str]:
    makefile = text_of("Makefile")
    known = set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.MULTILINE))
    lines = [line for line in (*shell_lines(text), *spans(text)) if re.match(r"make( |$)", line)]
    named = [word for line in lines for word in shlex.split(line, comments=True)[1:]]
    settings = set(re.findall(r"^([A-Z_]+) *[?:]?=", makefile, re.MULTILINE))
    unknown = [word for word in named if "=" not in word and word not in known]
    unknown += [word for word in named if "=" in word and word.split("=")[0] not in settings]
    return [f"no such target: make {word}" for word in unknown]


# --- places -------------------------------------------------------------------------------------------------

# Written by people or programs at work, so absent from the source.
AT_WORK = re.compile(
    r"^(?:data|out|DATA|OUT|gongkai\.toml|\.venv|(?:regions/\d+/\d+/)?decisions\.toml)(?:/|$)|[<>*{}…]|^https?:"
)
SOURCE = re.compile(r"^[\w./-]+(?:\.py|\.toml|\.csv|\.md|\.html|\.txt|/)$")


@cache
def source_paths() -> frozenset[str]:
    """Every file and folder of the source, with each of its endings: `ingest/read.py` as well as the whole path."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    if not names:  # not a clone
        names = [
            str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts
        ]
    whole = {str(path) for name in names for path in (Path(name), *Path(name).parents)} - {"."}
    return frozenset("/".join(Path(path).parts[at:]) for path in whole for at in range(len(Path(path).parts)))


def links(text: str, folder: Path = ROOT) -> list[str]:
    found = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return [f"no such file: {link}" for link in found if not re.match(r"\w+:", link) and not (folder / link).exists()]


def places(text: str) -> list[str]:
    named = [span for span in spans(text) if SOURCE.match(span) and not AT_WORK.search(span)]
    return [f"no such place: {name}" for name in named if name.rstrip("/") not in source_paths()]


# --- numbers ------------------------------------------------------------------------------------------------

WORDS = {word: n for n, word in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven"))}
FAMILIES = Counter(rule.family for rule in RULES.rules)
BODIES = len(load_region(REGIONS, REGION).bodies)
NUMBERS: dict[str, int] = {
    r"(\w+) (?:published )?(?:cells|figures)(?= [x(]|[,.:]|$| and|\))": len(FORM.cells),
    r"(\w+) rules\b": len(RULES.rules),
    r"(\d+) 格": len(FORM.cells),
    r"(\d+) 条规则": len(RULES.rules),
    r"(\w+) row totals": FAMILIES["row_total"],
    r"(\w+) outcome sums": FAMILIES["outcome_sum"],
    r"(\w+) balances": FAMILIES["balance"],
    r"(\w+) warnings": sum(rule.severity == "warning" for rule in RULES.rules),
    r"(\w+) bodies": BODIES,
    r"全部 (\d+) 个单位": BODIES,
    r"(\w+) blocking checks,": len(GATE_CHECKS),
    r"(\w+) blocking checks on the built bytes": len(PACKAGE_CHECKS),
}


def numbers(text: str) -> list[str]:
    found = []
    for pattern, real in NUMBERS.items():
        for match in re.finditer(pattern, text, re.MULTILINE):
            said = WORDS.get(match[1].lower(), int(match[1]) if match[1].isdecimal() else None)
            if said is not None and said != real:
                found.append(f"“{match[0]}”: there are {real}")
    return found


# --- claims -------------------------------------------------------------------------------------------------

# A figure of speed or size of work in a README carries, right behind its unit, where it was measured:
#   reads 126 files a second <!-- benchmark: ingest.xlsx.guarded.files_s -->        the figure, rounded as it is written
#   within 0.6 seconds <!-- benchmark: cold.check.seconds at most -->               or: at least
UNIT = (
    r"(?:ms|milliseconds?|seconds?|s|minutes?|min|hours?|KiB|MiB|GiB|kB|KB|MB|GB|times|fold|x|%|毫秒|秒钟?|分钟?|小时|倍)"
    r"(?![\w-])|(?:million |thousand )?(?:files|returns|submissions|rows|bodies|cells) (?:a|per) (?:second|minute)"
    r"|[份行格]\s*/\s*秒|[份行格]每秒"
)
MARK = r"<!-- benchmark: (?P<key>\S+?)(?: (?P<side>at most|at least))? -->"
NUMBER = r"(?<![\w.,/-])(?P<number>\d[\d,]*(?:\.\d+)?)"
CLAIM = re.compile(rf"{NUMBER} ?(?P<unit>{UNIT})(?:[^\S\n]*\n?[^\S\n]*(?P<mark>{MARK}))?")
COMPARED = re.compile(r"(?i)\b(?:fast(?:er|est)|slower|quicker|(?:as|so) fast|times as (?:fast|long))\b|更快|快于|倍速")
Measured = Callable[[str], float | None]


def measured(key: str) -> float | None:
    """A figure of the last run of the benchmarks."""
    results = load_results(RESULTS)
    return results.figure(key) if results else None


def unmarked(text: str) -> list[str]:
    """Claims of speed that do not say where they were measured. A comparison in words needs a mark in its paragraph."""
    words = [
        word
        for paragraph in text.split("\n\n")
        if (word := COMPARED.search(paragraph)) and not re.search(MARK, paragraph)
    ]
    return [f"not measured: “{each[0]}”" for each in (*(c for c in CLAIM.finditer(text) if not c["mark"]), *words)]


def claims(text: str, of: Measured = measured) -> list[str]:
    """Claims that the results of the benchmarks do not bear out."""
    found = []
    bound = {claim.start("mark"): claim for claim in CLAIM.finditer(text) if claim["mark"]}
    for mark in re.finditer(MARK, text):
        claim, value = bound.get(mark.start()), of(mark["key"])
        if claim is None:
            found.append(f"no figure before {mark[0]}")
        elif value is None:
            found.append(f"no such figure was measured: {mark['key']}")
        elif not holds(Decimal(claim["number"].replace(",", "")), claim["unit"], mark["side"] or "", value):
            found.append(f"“{claim[0]}”: measured was {value}")
    return found


def holds(said: Decimal, unit: str, side: str, value: float) -> bool:
    """Whether a figure as written, rounded or as a bound, agrees with what was measured; a share is written in %."""
    real = Decimal(str(value)) * (100 if unit == "%" else 1)
    if side:
        return real <= said if side == "at most" else real >= said
    return real.quantize(said) == said


# --- settings and languages ---------------------------------------------------------------------------------


@cache
def reached_modules() -> frozenset[Path]:
    """The project's modules that the front door or the assets reach by imports, wherever an import stands."""
    reached: set[Path] = set()
    waiting = [ROOT / "gongkai.py", *sorted((ROOT / "assets").glob("*.py"))]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        names: list[str] = []
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            place = ROOT / Path(*name.split("."))
            waiting += [each for each in (place.with_suffix(".py"), place / "__init__.py") if each.is_file()]
    return frozenset(reached)


def settings_in(sources: Iterable[str]) -> set[str]:
    return {name for source in sources for name in re.findall(r"\bGONGKAI_[A-Z_]+\b", source)}


def settings(text: str) -> list[str]:
    """Every variable that a module reads or a document names is a declared setting (or names the file of settings)."""
    known = {CONFIG_VARIABLE, *(each.variable for each in declared())}
    read = settings_in(path.read_text(encoding="utf-8") for path in reached_modules())
    return [f"read but not declared: {name}" for name in sorted(read - known)] + [
        f"documented but not declared: {name}" for name in sorted(settings_in([text]) - known)
    ]


def configuration(text: str) -> list[str]:
    """docs/configuration.md holds the table of all settings as `gongkai settings --format markdown` prints it."""
    return [line for line in settings_page().splitlines() if line not in text.splitlines()]


def all_commands(text: str) -> list[str]:
    return [f"not mentioned: gongkai {name}" for name in main.commands if not re.search(rf"gongkai {name}\b", text)]


def outline(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Of each section its level and what is typed there: command, subcommand and options, without names of files."""
    levels, block = [""], ""
    typed: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("```"):
            block = "" if block else line
        elif block == "```sh" and line.strip() and not line.startswith("#"):
            words = shlex.split(line, comments=True)
            typed[-1].append(" ".join([*words[:2], *(word for word in words[2:] if word.startswith("-"))]))
        elif not block and (heading := re.match(r"#+(?= )", line)):
            levels.append(heading[0])
            typed.append([])
    return [(level, tuple(lines)) for level, lines in zip(levels, typed, strict=True)]


def sections(text: str, other: str | None = None) -> list[str]:
    """How the sections of one README differ from the other's."""
    mine, theirs = outline(text), outline(text_of(ENGLISH) if other is None else other)
    if [level for level, _ in mine] != [level for level, _ in theirs]:
        return [f"other sections: {[level for level, _ in mine]} beside {[level for level, _ in theirs]}"]
    return [f"other commands: {a} beside {b}" for (_, a), (_, b) in zip(mine, theirs, strict=True) if a != b]


# --- the checks ---------------------------------------------------------------------------------------------

EVERYWHERE: list[Check] = [commands, targets, places, numbers, settings, claims]
IN_BOTH: list[Check] = [all_commands, sections, unmarked]


@pytest.mark.parametrize("check", EVERYWHERE, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_the_documents_say_is_so(name: str, check: Check) -> None:
    assert check(text_of(name)) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_files(name: str) -> None:
    assert links(text_of(name), (ROOT / name).parent) == []


@pytest.mark.parametrize("check", IN_BOTH, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [ENGLISH, CHINESE])
def test_both_readmes_tell_the_whole(name: str, check: Check) -> None:
    assert check(text_of(name)) == []


def test_the_page_of_settings_is_whole() -> None:
    page = text_of("docs/configuration.md")
    assert configuration(page) == []
    assert configuration(page.replace("`GONGKAI_WORKERS`", "`GONGKAI_WORKER`"))


def checks_described(text: str) -> list[str]:
    names = [*(check.id for check in load_checks()), *GATE_CHECKS, *PACKAGE_CHECKS, *DEADLINES]
    return [name for name in names if f"| `{name}` |" not in text and f"`{name}`（" not in text]


def test_every_check_is_described() -> None:
    page = text_of("docs/checks.md")
    assert checks_described(page) == []
    assert checks_described(page.replace("`row_totals`", "`row_sums`")) == ["row_totals"]


PLANTED: list[tuple[Check, str, str, str]] = [
    (commands, "gongkai run --region 511725 --year 2023", "gongkai run --region 511725", "Missing option '--year'"),
    (commands, "gongkai run --region", "gongkai run --county", "No such option"),
    (commands, "--year 2023", "--year soon", "not a valid integer"),
    (commands, "gongkai check return.xlsx ", "gongkai examine return.xlsx ", "no such command"),
    (commands, "`gongkai extract FILE`", "`gongkai extract FILE --verbatim`", "no such option --verbatim"),
    (commands, "`gongkai extract FILE`", "`gongkai reed FILE`", "no such command"),
    (targets, "make test ", "make tests ", "make tests"),
    (targets, "`make help`", "`make assist`", "make assist"),
    (targets, "`make help`", "`make help COUNTY=1`", "COUNTY"),
    (links, "(CONTRIBUTING.md)", "(docs/CONTRIBUTING.md)", "docs/CONTRIBUTING.md"),
    (places, "`schemas/`", "`schemata/`", "schemata/"),
    (places, "`gongkai.py`", "`gongkai_cli.py`", "gongkai_cli.py"),
    (numbers, "203 cells x 59 rules", "204 cells x 59 rules", "there are 203"),
    (numbers, "203 cells x 59 rules", "203 cells x 58 rules", "there are 59"),
    (settings, "`GONGKAI_DATA`", "`GONGKAI_DATUM`", "not declared: GONGKAI_DATUM"),
    (all_commands, "gongkai trace", "gongkai verify", "gongkai trace"),
    (sections, "## Start", "### Start", "other sections"),
    (sections, "\ngongkai verify", "\n# gongkai verify", "other commands"),
    (unmarked, "## Start", "It reads 126 files a second.\n\n## Start", "126 files a second"),
    (unmarked, "## Start", "A return is checked in 0.2 s.\n\n## Start", "0.2 s"),
    (unmarked, "## Start", "It is 15 times as quick as others.\n\n## Start", "15 times"),
    (unmarked, "## Start", "It needs 700 MiB.\n\n## Start", "700 MiB"),
    (unmarked, "## Start", "It is much faster than others.\n\n## Start", "faster"),
    (unmarked, "## Start", "比别的快 15 倍，每份 5毫秒。\n\n## Start", "15 倍"),
    (unmarked, "## Start", "每份 5毫秒，126 份/秒。\n\n## Start", "126 份/秒"),
    (claims, "## Start", "In 0.2 s <!-- benchmark: cold.czech.seconds -->.\n\n## Start", "cold.czech.seconds"),
]


@pytest.mark.parametrize(
    ("check", "old", "new", "problem"), PLANTED, ids=[f"{each[0].__name__}-{each[2]}" for each in PLANTED]
)
def test_a_planted_defect_is_seen(check: Check, old: str, new: str, problem: str) -> None:
    text = text_of(ENGLISH)
    assert old in text
    assert any(problem in found for found in check(text.replace(old, new)))


RUN = {"ingest.xlsx.files_s": 196.84, "cold.check.seconds": 0.1896, "localise.unique": 0.9912, "scale.rows": 1234567.0}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("It reads 197 files a second <!-- benchmark: ingest.xlsx.files_s --> and", ""),
        ("It reads 196.8 files a second\n<!-- benchmark: ingest.xlsx.files_s -->", ""),
        ("It reads 196 files a second <!-- benchmark: ingest.xlsx.files_s -->", "measured was 196.84"),
        ("It reads 150 files a second <!-- benchmark: ingest.xlsx.files_s at least -->", ""),
        ("It reads 200 files a second <!-- benchmark: ingest.xlsx.files_s at least -->", "measured was 196.84"),
        ("within 0.6 seconds <!-- benchmark: cold.check.seconds at most -->", ""),
        ("within 0.1 seconds <!-- benchmark: cold.check.seconds at most -->", "measured was 0.1896"),
        ("不到 0.6 秒 <!-- benchmark: cold.check.seconds at most -->", ""),
        ("不到 0.1 秒 <!-- benchmark: cold.check.seconds at most -->", "measured was 0.1896"),
        ("每秒约 197 份/秒<!-- benchmark: ingest.xlsx.files_s -->", ""),
        ("right in 99 % <!-- benchmark: localise.unique -->", ""),
        ("right in 98 % <!-- benchmark: localise.unique -->", "measured was 0.9912"),
        ("1,234,567 rows a second <!-- benchmark: scale.rows -->", ""),
        ("1,234,568 rows a second <!-- benchmark: scale.rows -->", "measured was 1234567.0"),
        ("very soon <!-- benchmark: cold.check.seconds -->", "no figure before"),
        ("in 0.2 s, or less, <!-- benchmark: cold.check.seconds -->", "no figure before"),
        ("in 0.2 s <!-- benchmark: cold.other.seconds -->", "no such figure was measured"),
    ],
)
def test_a_claim_is_held_to_what_was_measured(text: str, problem: str) -> None:
    found = claims(text, RUN.get)
    assert problem in found[0] if problem else found == []


@pytest.mark.parametrize(
    "text",
    [
        "a county of 66 bodies, 203 cells and 59 rules, since 2023",
        "It reads 197 files a second <!-- benchmark: ingest.xlsx.files_s -->.",
        "It is faster: 15 times\n<!-- benchmark: validate.1000000.pandera_checks.x_ours --> so.",
        "4 sheets, 3 steps, 2 simple rules; port 8000, 7711 号令第 50 条",
    ],
)
def test_what_is_no_claim_or_marked_needs_no_mark(text: str) -> None:
    assert unmarked(text) == []


@pytest.mark.parametrize(
    ("document", "old", "new", "real"),
    [
        ("ARCHITECTURE.md", "28 row totals", "27 row totals", 28),
        ("ARCHITECTURE.md", "7 outcome sums", "8 outcome sums", 7),
        ("ARCHITECTURE.md", "7 balances", "6 balances", 7),
        ("ARCHITECTURE.md", "five blocking checks,", "four blocking checks,", 5),
        ("ARCHITECTURE.md", "six blocking checks on", "7 blocking checks on", 6),
        ("ARCHITECTURE.md", "11 warnings", "12 warnings", 11),
        ("CHANGELOG.md", "66 bodies", "65 bodies", 66),
        (CHINESE, "203 格", "202 格", 203),
        (CHINESE, "59 条规则", "60 条规则", 59),
    ],
)
def test_a_planted_number_is_seen(document: str, old: str, new: str, real: int) -> None:
    text = text_of(document)
    assert old in text
    assert any(f"there are {real}" in problem for problem in numbers(text.replace(old, new)))


def test_every_kind_of_number_is_stated_somewhere() -> None:
    said = "\n".join(map(text_of, DOCUMENTS))
    for pattern in NUMBERS:
        assert re.search(pattern, said, re.MULTILINE), pattern


def test_the_examples_of_every_command_can_be_typed() -> None:
    for name, command in main.commands.items():
        lines = [line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("gongkai ")]
        assert lines, f"gongkai {name} has no example"
        assert [command_problem(line, True) for line in lines] == [""] * len(lines)
