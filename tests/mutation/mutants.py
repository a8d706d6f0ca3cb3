"""The small changes that can be made to a module, in a fixed order, and the choice among them.

Belongs here: syntax trees. Does not belong here: running tests (runner.py).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

OTHER_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OTHER_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
OTHER_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
# Promises to the reader and to Python rather than behaviour: a change there is no fault that a test could find.
UNTOUCHED_KEYWORDS = ("strict", "maxsize", "autojunk")


@dataclass(frozen=True)
class Mutant:
    """One change: where it stands, what stood there and what stands there now; ``number`` among all of the module.

    ``text``: the line of the source.
    """

    number: int
    line: int
    function: str
    text: str
    before: str
    after: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The change told by its text, so that lines may move; two in one line may be alike."""
        return self.function, self.text, self.before, self.after


@dataclass(frozen=True)
class _Change:
    """A change that can be made and taken back; ``node`` is the place that is shown."""

    node: ast.AST
    make: Callable[[], Callable[[], None]]


def _set(holder: object, name: str, value: object) -> Callable[[], Callable[[], None]]:
    def make() -> Callable[[], None]:
        old = getattr(holder, name)
        setattr(holder, name, value)
        return lambda: setattr(holder, name, old)

    return make


def _put(items: list, at: int, value: object) -> Callable[[], Callable[[], None]]:
    def make() -> Callable[[], None]:
        old = items[at]
        items[at] = value
        return lambda: items.__setitem__(at, old)

    return make


def _test_changes(node: ast.AST) -> Iterator[_Change]:
    """A condition that is no comparison or connective of its own is turned round."""
    tests = [(node, "test")] if isinstance(node, ast.If | ast.IfExp | ast.While) else []
    for holder, name in tests:
        test = getattr(holder, name)
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield _Change(test, _set(holder, name, ast.UnaryOp(ast.Not(), test)))
    if isinstance(node, ast.comprehension):
        for at, test in enumerate(node.ifs):
            if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                yield _Change(test, _put(node.ifs, at, ast.UnaryOp(ast.Not(), test)))


def _expression_changes(node: ast.AST, first: bool) -> Iterator[_Change]:
    """``first``: the node is the index of a first item, which is nearly always the only one, and so the last."""
    match node:
        case ast.Compare():
            for at, operator in enumerate(node.ops):
                for other in OTHER_COMPARISONS[type(operator)]:
                    yield _Change(node, _put(node.ops, at, other()))
        case ast.BoolOp():
            yield _Change(node, _set(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()))
        case ast.BinOp() | ast.AugAssign() if type(node.op) in OTHER_OPERATORS:
            yield _Change(node, _set(node, "op", OTHER_OPERATORS[type(node.op)]()))
        case ast.UnaryOp(op=ast.USub()):
            yield _Change(node, _set(node, "op", ast.UAdd()))
        case ast.UnaryOp(op=ast.Not(), operand=operand) if not isinstance(operand, ast.Compare | ast.BoolOp):
            yield _Change(node, _set(node, "operand", ast.UnaryOp(ast.Not(), operand)))
        case ast.Constant(value=bool()):
            yield _Change(node, _set(node, "value", not node.value))
        case ast.Constant(value=int()):
            yield _Change(node, _set(node, "value", node.value + 1))
            if not first:
                yield _Change(node, _set(node, "value", node.value - 1))
        case ast.Call(func=ast.Name(id=name)) if name in OTHER_CALLS:
            yield _Change(node, _set(node, "func", ast.Name(OTHER_CALLS[name], ast.Load())))


def _statement_changes(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Return(value=value) if value is not None and not (isinstance(value, ast.Constant) and not value.value):
            yield _Change(node, _set(node, "value", ast.Constant(None)))
    for name in ("body", "orelse", "finalbody"):
        statements = getattr(node, name, None)
        for at, statement in enumerate(statements if isinstance(statements, list) else ()):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                yield _Change(statement, _put(statements, at, ast.Pass()))
            elif isinstance(statement, ast.Continue):
                yield _Change(statement, _put(statements, at, ast.Break()))
            elif isinstance(statement, ast.Break):
                yield _Change(statement, _put(statements, at, ast.Continue()))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """What may be changed below a node: no annotations, decorators, class options, imports or documentation."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params") or (
            isinstance(node, ast.ClassDef) and name in ("keywords", "bases")
        ):
            continue
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.keyword) and child.arg in UNTOUCHED_KEYWORDS:
                continue
            if isinstance(child, ast.AST) and not isinstance(child, ast.Import | ast.ImportFrom):
                yield child


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _changes(node: ast.AST, function: str, first: bool = False) -> Iterator[tuple[str, _Change]]:
    if _is_type_checking(node):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}" if function else node.name
    for change in (*_test_changes(node), *_expression_changes(node, first), *_statement_changes(node)):
        yield function, change
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return  # -1 became +1 already
    for child in _children(node):
        index = isinstance(node, ast.Subscript) and child is node.slice
        yield from _changes(child, function, index and isinstance(child, ast.Constant) and child.value == 0)


def _shown(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def mutants(source: str) -> tuple[Mutant, ...]:
    """Every mutant of a module's source, in order. The same text gives the same mutants."""
    tree = ast.parse(source)
    lines = source.splitlines()
    found = []
    for number, (function, change) in enumerate(_changes(tree, "")):
        before = _shown(change.node)
        holder = _holder(tree, change.node)
        undo = change.make()
        after = _shown(_held(holder))
        undo()
        line: int = change.node.lineno  # type: ignore[attr-defined]
        found.append(Mutant(number, line, function or "module", lines[line - 1].strip(), before, after))
    return tuple(found)


def _holder(tree: ast.AST, node: ast.AST) -> tuple[ast.AST, str, int]:
    """Where a node hangs: its parent, the field and the position in it (-1 where the field is no list)."""
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is node:
                return parent, name, -1
            if isinstance(value, list):
                for at, item in enumerate(value):
                    if item is node:
                        return parent, name, at
    raise LookupError(ast.dump(node))


def _held(holder: tuple[ast.AST, str, int]) -> ast.AST:
    parent, name, at = holder
    value = getattr(parent, name)
    return value if at < 0 else value[at]


def mutated(source: str, number: int) -> ast.Module:
    """The module's tree with that one change made. Raises IndexError."""
    tree = ast.parse(source)
    for at, (_, change) in enumerate(_changes(tree, "")):
        if at == number:
            change.make()
            return ast.fix_missing_locations(tree)
    raise IndexError(number)


def sample(module: str, found: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """``count`` mutants, chosen by a hash of their own text: an edit elsewhere in the module changes no choice."""
    seen: dict[tuple[str, ...], int] = {}

    def draw(mutant: Mutant) -> str:
        seen[mutant.key] = seen.get(mutant.key, 0) + 1
        return hashlib.sha256(f"{seed} {module} {mutant.key} {seen[mutant.key]}".encode()).hexdigest()

    drawn = sorted(((draw(mutant), mutant) for mutant in found), key=lambda pair: pair[0])
    return sorted((mutant for _, mutant in drawn[:count]), key=lambda mutant: mutant.number)
