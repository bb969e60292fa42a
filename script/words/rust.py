"""Tokens of a Rust source file: enough to tell comments, strings and code apart, and to follow brackets."""

import re
from dataclasses import dataclass

# Nested block comments are not followed: the repository has none.
TOKEN = re.compile(
    r"""
      (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<raw>(?:br|cr|r)(?P<hashes>\#*)".*?"(?P=hashes))
    | (?P<string>[bc]?"(?:[^"\\]|\\.)*")
    | (?P<char>b?'(?:[^'\\\n]|\\(?:u\{[^}]*\}|x[0-9a-fA-F]{2}|.))')
    | (?P<lifetime>'\w+)
    | (?P<word>(?:r\#)?[A-Za-z_]\w*)
    | (?P<number>\d[\w]*(?:\.\d\w*)?)
    | (?P<mark>=>|->|::|\|\||&&|==|<=|>=|!=|[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)

OPENING = {"(": ")", "[": "]", "{": "}"}
CLOSING = set(OPENING.values())


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int

    @property
    def end(self):
        return self.start + len(self.text)


def tokens(source):
    """All tokens, comments included."""
    return [Token(m.lastgroup if m.lastgroup != "hashes" else "raw", m.group(), m.start()) for m in TOKEN.finditer(source)]


def line_of(source, offset):
    return source.count("\n", 0, offset) + 1


def statement_end(code, at):
    """Index of the `;` that ends the statement, or of the bracket that closes its block."""
    depth = 0
    for i in range(at, len(code)):
        text = code[i].text
        if code[i].kind != "mark":
            continue
        if text in OPENING:
            depth += 1
        elif text in CLOSING:
            if depth == 0:
                return i
            depth -= 1
        elif text == ";" and depth == 0:
            return i
    return len(code)


def block_end(code, at):
    """Index of the bracket that closes the block around this token."""
    depth = 0
    for i in range(at, len(code)):
        if code[i].kind != "mark":
            continue
        if code[i].text in OPENING:
            depth += 1
        elif code[i].text in CLOSING:
            if depth == 0:
                return i
            depth -= 1
    return len(code)
