"""Which body a name or a title means, and that looking up substrings finds what looking for every name finds."""

import random
from pathlib import Path

import pytest

from pipelines.names import _is_own, find_body, find_name, names_of, plain_name
from pipelines.regions import load_region

REGIONS = Path(__file__).resolve().parents[1] / "regions"
CODE = "511725"


@pytest.fixture(scope="module")
def region():
    return load_region(REGIONS, CODE)


def test_every_body_is_found_by_its_code_name_and_aliases(region):
    for body in region.bodies:
        for text in (body.code, body.name_zh, body.name_zh.removesuffix("（示例）"), *body.aliases):
            assert find_body(region, text) is body, text
            spaced = "　".join(text)
            assert find_body(region, f" {spaced}\n") is body, spaced


def test_every_body_is_found_in_the_title_of_its_report(region):
    for body in region.bodies:
        for name in (body.name_zh, body.name_zh.removesuffix("（示例）"), *body.aliases):
            assert find_body(region, f"{name}2023年政府信息公开工作年度报告") is body, name
            assert find_body(region, f"{name} 关于 2023 年度政府信息公开工作的报告") is body, name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", None),
        ("渠县2023年政府信息公开工作年度报告", None),  # the county itself
        ("渠县海洋局2023年政府信息公开工作年度报告", None),
        ("大竹县财政局2023年政府信息公开工作年度报告", None),  # another county's
        ("渠县财政局、渠县审计局2023年政府信息公开工作年度报告", None),  # two
        ("渠县财政局青石镇财政所2023年年报", None),  # a branch
        ("渠县教育局机关幼儿园2023年年报", None),
        ("四川省达州市渠县青石镇人民政府2023年年报", "T05"),  # the longest name counts
        ("2023年县财政局年报", "D08"),
        ("渠县人民政府办公室（示例）", "D01"),
    ],
)
def test_a_title_means_one_body_or_none(region, text, code):
    body = find_body(region, text)
    assert (body.code if body else None) == (f"{CODE}-{code}" if code else None)


def slowly(region, text):
    """Every name of the roster looked for in the title, one after another."""
    title, own = plain_name(text), plain_name(region.settings.name_zh)
    names = {plain_name(name): body for body in region.bodies for name in (body.code, body.name_zh, *body.aliases)}
    if title in names:
        return names[title]
    spans = []
    for name, body in names.items():
        start = title.find(name)
        while start >= 0:
            spans.append(
                (start, start + len(name), _is_own(title, start, start + len(name), name.startswith(own)), body)
            )
            start = title.find(name, start + 1)
    outer = [
        span for span in spans if not any(o[0] <= span[0] and span[1] <= o[1] and o[:2] != span[:2] for o in spans)
    ]
    certain = [body for _, _, is_certain, body in outer if is_certain]
    return certain[0] if len({body.code for *_, body in outer}) == 1 and certain else None


def test_titles_put_together_at_random_mean_what_a_search_for_every_name_says(region):
    draw, names = random.Random(20230131), names_of(region)
    pieces = ["2023", "年", "关于", "政府信息公开工作年度报告", "、", "大竹", "财政所", "幼儿园", "县", "渠县"]
    called = [name for body in region.bodies for name in (body.code, body.name_zh, *body.aliases)]
    pieces += [" ", "（示例）", *called, *(name[:3] for name in called), *(name[2:] for name in called)]
    found = 0
    for _ in range(1000):
        title = "".join(draw.choice(pieces) for _ in range(draw.randint(1, 5)))
        expected = slowly(region, title) if plain_name(title) else None
        assert find_name(names, title) is expected, title
        found += expected is not None
    assert 100 < found < 950  # both answers were asked for
