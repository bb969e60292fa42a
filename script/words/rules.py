"""What `script/test words` counts, as patterns and small functions over one file's text. CONTRIBUTING.md has the rules."""

import re
from dataclasses import dataclass

import rust

WIDTH = 100

KINDS = ("words", "openings", "width", "closures", "tuples")


@dataclass(frozen=True)
class Place:
    line: int
    kind: str
    what: str
    text: str


# ---- words ----------------------------------------------------------------------------------------------------------

# Each: what to say of it, and the pattern. `\s+` lets a phrase go over a line break. A pattern names the wrong use
# only: "the lock holds the file" and "both ends" are ordinary English.
BANNED = [
    ("mend: hint or fix", r"\bmend(?:s|ed|ing)?\b"),
    ("noes: denials", r"\bnoes\b"),
    ("a no: a denial", r"\b(?:a|each|every|late|such|any|that)\s+no\b(?=\s*[,;:.)]|\s+(?:comes?|waits?|is|was|after|later)\b)"),
    ("look as a noun: check, reading",
     r"\b(?:a|the|one|each|every|first|second|last|next|another|its|quick|later|per)\s+looks?\b(?![- ]?up)"),
    ("holds: is valid, applies, is true",
     r"(?<!whatever the )\b(?:key|promise|rule|claim|certificate|order|bound|limit|proof|link|token|password|guarantee|lock|this|same)s?\s+"
     r"(?:still\s+|no\s+longer\s+|always\s+)?holds?(?=\s*[.,;:)]|\s+(?:until|as\s+long|while|here|everywhere|only|too|again|"
     r"for\s+(?:all|every|each|any))\b)"),
    ("stands: is",
     r"\b(?:stands|stood)\b(?!\s+for\s+(?:an?|the|its)\b)|\b(?:may|must|can|will|shall|to|they|that|which|who|it)\s+stand\b"),
    ("ends: expires",
     r"\b(?:certificate|link|key|ticket|token|password|pair|chain|root|CA|cookie|sign-in|web\s+session)s?\s+"
     r"(?:has\s+|have\s+|had\s+|soon\s+)?(?:ends?|ended)\b(?!\s+in\b)"),
    ("ends: exits", r"\b(?:ends?|ended)\s+(?:non-zero|with\s+(?:exit\s+code\s+)?\d{1,2})\b"),
    ("counts: applies, is used",
     r"\b(?:what|which|that|who|only|really|value|order)\s+counts\b"
     r"(?!\s+(?:as|the|an?|every|each|how|all|its|up|down|of|on|from|towards?|what|them|least|most|bytes|packets|rows|lines)\b)"),
    ("got by: received, from", r"\bgot\s+by\b"),
    ("of its own: its own", r"\bof\s+(?:its|their|our|your|his|her|one's)\s+own\b"),
    ("the same again: the same, repeats", r"\bthe\s+same\s+again\b"),
    ("nothing is lost but: loses only", r"\bnothing\s+is\s+lost\s+but\b"),
    ("a label of hints: hint:", r"(?:(?<=\")|(?<=\s\s)|(?<=\n)|\A)(?:try|do):(?=\s+[A-Za-z`{])"),
]
PATTERNS = [(what, re.compile(pattern, re.IGNORECASE)) for what, pattern in BANNED]
# In code these two are always the wrong word; all others have ordinary uses in names.
NAMES = re.compile(r"(?:^|_)(mend|mends|mended|noes)(?:_|$)")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def blank(text):
    """As many spaces, with the same line breaks."""
    return re.sub(r"[^\n]", " ", text)


def readable_rust(source):
    """The same length: comments and strings as they read; code becomes marks that no phrase goes over."""
    out = []
    at = 0
    for token in rust.tokens(source):
        out.append(source[at:token.start])
        at = token.end
        if token.kind == "comment":
            out.append(re.sub(r"(?m)^(\s*)(//[/!]?|\*)", lambda m: m[1] + " " * len(m[2]), token.text))
        elif token.kind in ("string", "raw"):
            text = token.text if token.kind == "raw" else re.sub(
                r"\\(\n|.)", lambda m: " \n" if m[1] == "\n" else "  ", token.text)
            out.append(text)
        elif token.kind == "word":
            parts = "_".join(CAMEL.split(token.text)).lower()
            found = NAMES.search(parts)
            out.append((found[1] if found else "\x01").ljust(len(token.text), "\x01")[: len(token.text)])
        else:
            out.append("\x01" * len(token.text))
    out.append(source[at:])
    return "".join(out)


def readable_script(source):
    """Shell, Python, TOML: a comment's mark is no part of its sentence."""
    return re.sub(r"(?m)^(\s*)#+", lambda m: m[1] + " " * (len(m[0]) - len(m[1])), source)


def words(source, language):
    text = source
    if language == "rust":
        text = readable_rust(source)
    elif language == "script":
        text = readable_script(source)
    places = []
    for what, pattern in PATTERNS:
        # `do:` and `try:` are statements elsewhere.
        if what.startswith("a label") and language == "script":
            continue
        for found in pattern.finditer(text):
            line = rust.line_of(source, found.start())
            places.append(Place(line, "words", what, " ".join(source[found.start():found.end()].split())))
    return places


# ---- openings -------------------------------------------------------------------------------------------------------

DOC = re.compile(r"^\s*(///(?!/)|//!)\s?(.*)$")
OPENING = re.compile(r"(?:What|Who|Whose|Whom|One|Those|Of|That|The same|It's)\b(?!-)")


def openings(source):
    places = []
    before = None
    for number, line in enumerate(source.split("\n"), 1):
        found = DOC.match(line)
        if found and before != found[1]:
            opening = OPENING.match(found[2])
            if opening:
                places.append(Place(number, "openings", f"opens with {opening[0]!r}", found[2]))
        before = found[1] if found else None
    return places


# ---- width ----------------------------------------------------------------------------------------------------------


def width(source):
    """Lines over the width, but for those where a break is not possible: raw strings, and text without a space."""
    strings = None
    places = []
    start = 0
    for number, line in enumerate(source.split("\n"), 1):
        if len(line) > WIDTH:
            if strings is None:
                strings = [t for t in rust.tokens(source) if t.kind in ("string", "raw", "comment")]
            if not unbreakable(line, start, strings):
                places.append(Place(number, "width", f"{len(line)} columns", line.strip()))
        start += len(line) + 1
    return places


def unbreakable(line, start, strings):
    edge = start + WIDTH
    for token in strings:
        if not token.start <= edge < token.end:
            continue
        if token.kind == "raw":
            return True
        # From the token's first character on this line to the edge: is there a space to break at?
        first = max(token.start, start + len(line) - len(line.lstrip()))
        head = line[first - start:WIDTH + 1]
        if token.kind == "comment":
            head = re.sub(r"^//[/!]?\s*", "", head)
        return " " not in head.strip()
    return False


# ---- closures -------------------------------------------------------------------------------------------------------


def code_of(source):
    return [t for t in rust.tokens(source) if t.kind != "comment"]


def closures(source, code):
    """`let name = |..| ..;` that is called by name twice, or once where it goes over lines."""
    places = []
    for i, token in enumerate(code):
        if token.text != "let" or i + 3 >= len(code):
            continue
        at = i + 1
        if code[at].text == "mut":
            at += 1
        name = code[at]
        if name.kind != "word":
            continue
        at += 1
        if code[at].text == ":":
            while at < len(code) and code[at].text not in ("=", ";"):
                at += 1
        if at >= len(code) or code[at].text != "=":
            continue
        at += 1
        while code[at].text in ("move", "async"):
            at += 1
        if code[at].text not in ("|", "||"):
            continue
        end = rust.statement_end(code, at)
        lines = rust.line_of(source, code[min(end, len(code) - 1)].start) - rust.line_of(source, token.start) + 1
        calls = 0
        for j in range(end, rust.block_end(code, end)):
            if (code[j].text == name.text and code[j].kind == "word" and j + 1 < len(code) and code[j + 1].text == "("
                    and code[j - 1].text not in (".", "fn", "::")):
                calls += 1
        if calls >= 2 or (calls == 1 and lines > 1):
            line = rust.line_of(source, token.start)
            times = "once" if calls == 1 else f"{calls} times"
            places.append(Place(line, "closures", f"closure of {lines} lines called {times}" if lines > 1
                                else f"closure called {times}", source.split("\n")[line - 1].strip()))
    return places


# ---- tuples ---------------------------------------------------------------------------------------------------------


def tuples(source, code):
    """`let (a, b) = (x, y);`, but not with `else`, `if let` or `while let`: those match both at once."""
    places = []
    for i, token in enumerate(code):
        if token.text != "let" or (i and code[i - 1].text in ("if", "while", "&&")):
            continue
        if i + 1 >= len(code) or code[i + 1].text != "(":
            continue
        at = rust.block_end(code, i + 2) + 1
        if at < len(code) and code[at].text == ":":
            while at < len(code) and code[at].text not in ("=", ";"):
                at += 1
        if at + 1 >= len(code) or code[at].text != "=" or code[at + 1].text != "(":
            continue
        close = rust.block_end(code, at + 2)
        if close + 1 < len(code) and code[close + 1].text == ";":
            line = rust.line_of(source, token.start)
            places.append(Place(line, "tuples", "two values in one let", source.split("\n")[line - 1].strip()))
    return places


def judge(source, language):
    """All places of one file."""
    places = words(source, language)
    if language == "rust":
        code = code_of(source)
        places += openings(source) + width(source) + closures(source, code) + tuples(source, code)
    return sorted(places, key=lambda place: place.line)
