"""`script/test words`: counts what docs and code should not say, and fails above the ceilings of table.py.

    python3 script/words                    every place, and the counts
    python3 script/words crates/tls docs    only these files and folders; fails if there is any place at all
    python3 script/words --table            the ceilings that the tracked files would need now
"""

import sys

import count
import rules


def main(arguments):
    if arguments == ["--table"]:
        sums = count.counts(count.places_of(count.tracked())[0])
        for name in sorted(sums):
            if any(sums[name].values()):
                print(f'    "{name}": ({", ".join(str(sums[name][kind]) for kind in rules.KINDS)}),')
        return 0
    if any(a.startswith("-") for a in arguments):
        print(__doc__)
        return 0 if arguments[0] in ("-h", "--help") else 2
    paths = count.tracked()
    if arguments:
        wished = [a.rstrip("/") for a in arguments]
        paths = [p for p in paths if any(p == w or p.startswith(w + "/") for w in wished)]
    found, unused = count.places_of(paths)
    for path, place in found:
        print(f"{path}:{place.line}: {place.what}: {place.text}")
    sums = count.counts(found)
    print(count.table_of(sums))
    if arguments:
        return 1 if found else 0
    errors, lower = count.over(sums)
    errors += [f"table.py allows {a.text!r} in {a.path}, which is not there any more: take it out" for a in unused]
    for error in errors:
        print(f"error: {error}")
    if errors:
        print("  hint: python3 script/words FOLDER lists the places of a folder; CONTRIBUTING.md has the rules")
    elif lower:
        print("note: some ceilings of script/words/table.py can be lower: python3 script/words --table")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
