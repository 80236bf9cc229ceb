"""Lists as Perl and Python write them: understood whole or refused."""

import ast
import re
import warnings
from collections.abc import Callable

TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<opening>[\[{(])|(?P<closing>[\]})])"""
    r"""|(?P<comma>,|=>|:)|(?P<word>(?:!!)?[\w.+-]+(?:\([\w.+-]*\))?))""",
    re.DOTALL,
)
"""A string in either kind of quotes, a bracket, what stands between items, or a bare word."""
CLOSING = {"(": ")", "[": "]", "{": "}"}
ESCAPE = re.compile(r"\\(?:x\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
"""A character by its number, or by a letter, as only strings in double quotes have it."""
LETTERS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "a": "\a", "b": "\b", "e": "\x1b"}
HIGHEST = 0x10FFFF

Unquote = Callable[[str], str]


def read_list(text: str, start: int, unquote: Unquote) -> tuple[list[str | None], int]:
    """Return the items of the list in round brackets that begins at `start`, and where it ends.

    What is nested counts as one item, None, and so does `undef`. ValueError that says what does not parse:
    brackets without partner, quotes that do not close, items without a comma between them.
    """
    items: list[str | None] = []
    open_: list[str] = []
    follows = False
    at = start
    while True:
        token = TOKEN.match(text, at)
        if token is None or not (open_ or token["opening"] == "("):
            raise ValueError(f"found {_shown(text, at)}; expected an item of a list")
        if follows and not (token["comma"] or token["closing"]):
            raise ValueError(f"found {_shown(text, at)}; expected a comma before it")
        if token["comma"] and not follows:
            raise ValueError(f"found {_shown(text, at)}; expected an item before it")
        if token["opening"]:
            open_.append(token["opening"])
        elif token["closing"]:
            if token["closing"] != CLOSING[open_.pop()]:
                raise ValueError(f"found {_shown(text, at)}; expected the bracket that was opened")
            if not open_:
                return items, _end(text, token.end())
        if len(open_) == 1 and not (token["comma"] or token["opening"]):
            items.append(_item(token, unquote))
        follows = not (token["comma"] or token["opening"])
        at = token.end()


def _end(text: str, at: int) -> int:
    semicolon = re.compile(r"\s*;").match(text, at)
    if semicolon is None:
        raise ValueError(f"found {_shown(text, at)} after the list; expected a semicolon")
    return semicolon.end()


def perl_string(quoted: str) -> str:
    """Return what a string of Perl in one of the two kinds of quotes stands for."""
    inner = quoted[1:-1]
    return re.sub(r"\\([\\'])", r"\1", inner) if quoted[0] == "'" else ESCAPE.sub(_escaped, inner)


def python_string(quoted: str) -> str:
    """Return what a string of Python stands for; what Python does not understand, as Perl does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(ast.literal_eval(quoted))
    except (SyntaxError, ValueError):
        return perl_string(quoted)


def _item(token: re.Match[str], unquote: Unquote) -> str | None:
    """Return the item that ends with a token: a string, a word, or None for what was nested."""
    if token["string"] is not None:
        return unquote(token["string"])
    word = token["word"]
    # Python writes a number of NumPy as np.float32(7112.0), and Perl what is true as !!1.
    return None if word in (None, "undef", "None") else re.sub(r"^(?:!!|np\.\w+\()(.*?)\)?$", r"\1", word)


def _escaped(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    if digits or found[3]:
        number = int(digits, 16) if digits else int(found[3], 8)
        return chr(number) if number <= HIGHEST else found[0]
    return LETTERS.get(found[4], found[4])


def _shown(text: str, at: int) -> str:
    return repr(text[at : at + 30].strip()) if text[at:].strip() else "the end"
