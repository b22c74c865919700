"""Constraints on points: `model.depth * model.width < 64`, written in Python's words, never run by it.

An expression may compare, calculate, combine with `and`, `or`, `not` and `in`, and call `abs`, `min`,
`max`, `len`, `log`, `log2`, `log10`, `exp`, `sqrt`, `round`. Its names are keys of the config.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from .errors import SpaceError

Look = Callable[[str], Any]  # the value of a key; raises KeyError where there is none

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items, ast.NotIn: lambda item, items: item not in items,
}  # fmt: skip
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs, "min": min, "max": max, "len": len, "round": round, "log": math.log, "log2": math.log2,
    "log10": math.log10, "exp": math.exp, "sqrt": math.sqrt,
}  # fmt: skip
_WORDS = {"true": True, "false": False, "null": None}
_LARGEST_POWER = 1_000


class Constraint:
    """One constraint.

    Raises:
        SpaceError: for a text that is no such expression.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._root = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError) as error:
            reason = getattr(error, "msg", str(error))
            raise SpaceError(
                f"The constraint cannot be read: {reason}", f"    {text}", "Write it as in Python."
            ) from None
        self.keys = frozenset(self._keys(self._root))

    def holds(self, look: Look) -> bool:
        """Return whether it holds where keys have the values that `look` gives.

        One that names a key which does not exist there has nothing to say, and holds.

        Raises:
            SpaceError: where it cannot be calculated.
        """
        try:
            return bool(self._value(self._root, look))
        except KeyError:
            return True
        except (TypeError, ValueError, ArithmeticError) as error:
            raise SpaceError(f"The constraint cannot be calculated: {error}", f"    {self.text}") from None

    def _keys(self, node: ast.AST) -> set[str]:
        """Return the keys that an expression names, and refuse what is no part of one."""
        key = _key(node)
        if key is not None:
            return {key} if key not in _WORDS else set()
        words = getattr(node, "ops", [getattr(node, "op", ast.And())])
        if any(type(word) not in (*_OPERATORS, ast.And, ast.Or) for word in words):
            raise SpaceError(f"{ast.unparse(node)!r} means nothing in a constraint", f"    {self.text}")
        if isinstance(node, ast.Call):
            if node.keywords or not (isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS):
                raise SpaceError(
                    f"The constraint calls {ast.unparse(node.func)}, which it may not",
                    f"    {self.text}",
                    f"There are {', '.join(_FUNCTIONS)}.",
                )
            below: list[ast.AST] = list(node.args)
        elif isinstance(node, ast.BinOp):
            slashed = _slashed(node)
            below = [node.left, node.right]
            if slashed is not None:
                return {slashed}
        elif isinstance(
            node, (ast.BoolOp, ast.Compare, ast.UnaryOp, ast.IfExp, ast.List, ast.Tuple, ast.Set)
        ):
            below = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        elif isinstance(node, ast.Constant):
            below = []
        else:
            raise SpaceError(f"{ast.unparse(node)!r} means nothing in a constraint", f"    {self.text}")
        return {key for child in below for key in self._keys(child)}

    def _value(self, node: ast.AST, look: Look) -> Any:
        key = _key(node)
        if key is not None:
            return _WORDS[key] if key in _WORDS else look(key)
        match node:
            case ast.Constant(value=value):
                return value
            case ast.BoolOp(op=ast.And(), values=values):
                return all(self._value(value, look) for value in values)
            case ast.BoolOp(values=values):
                return any(self._value(value, look) for value in values)
            case ast.UnaryOp(op=op, operand=operand):
                return _OPERATORS[type(op)](self._value(operand, look))
            case ast.BinOp():
                return self._calculated(node, look)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                values = [self._value(item, look) for item in (left, *comparators)]
                pairs = zip(ops, values, values[1:], strict=False)
                return all(_OPERATORS[type(op)](one, two) for op, one, two in pairs)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._value(body if self._value(test, look) else orelse, look)
            case ast.Call(func=ast.Name(id=name), args=args):
                return _FUNCTIONS[name](*(self._value(arg, look) for arg in args))
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return [self._value(item, look) for item in items]
        raise AssertionError(node)  # _keys() has refused everything else

    def _calculated(self, node: ast.BinOp, look: Look) -> Any:
        slashed = _slashed(node)
        if slashed is not None:  # a group such as opt/sched, or else a quotient
            try:
                return look(slashed)
            except KeyError:
                pass
        left, right = self._value(node.left, look), self._value(node.right, look)
        if isinstance(node.op, ast.Pow) and abs(right) > _LARGEST_POWER:
            raise ValueError(f"a power above {_LARGEST_POWER}")
        return _OPERATORS[type(node.op)](left, right)


def _key(node: ast.AST) -> str | None:
    """Return the dotted key that a name, or attributes of one, write."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        above = _key(node.value)
        return f"{above}.{node.attr}" if above else None
    return None


def _slashed(node: ast.BinOp) -> str | None:
    """Return the group that looks like a quotient of names."""
    if not isinstance(node.op, ast.Div):
        return None
    left = _slashed(node.left) if isinstance(node.left, ast.BinOp) else _key(node.left)
    right = _key(node.right)
    return f"{left}/{right}" if left and right else None
