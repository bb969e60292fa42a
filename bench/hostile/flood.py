"""Runs all attacks at once in a separate process: reads one line of JSON, floods until the deadline, prints its counts."""

import collections
import json
import sys
import threading
import time

from attacks import ATTACKS

# Pause after a failure: an attacker that is refused comes back quickly, but must not only count its own errors.
PAUSE_SECONDS = 0.02


def attack(name, spec, deadline, done, errors):
    function, _ = ATTACKS[name]
    while time.monotonic() < deadline:
        try:
            done[name] += function(spec) or 0
        except (OSError, EOFError, ValueError, IndexError) as error:
            errors[name, type(error).__name__ + ": " + str(error)[:60]] += 1
            time.sleep(PAUSE_SECONDS)
        except Exception as error:  # http.client raises its own exceptions.
            errors[name, type(error).__name__] += 1
            time.sleep(PAUSE_SECONDS)


def main():
    spec = json.loads(sys.stdin.readline())
    deadline = time.monotonic() + spec["seconds"]
    done, errors = collections.Counter(), collections.Counter()
    threads = [threading.Thread(target=attack, args=(name, spec, deadline, done, errors), daemon=True)
               for name in spec["only"] for _ in range(ATTACKS[name][1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline + 30 - time.monotonic()))
    told = {}
    for (name, what), count in errors.most_common():
        told.setdefault(name, {})[what] = count
    print(json.dumps({"done": done, "errors": told}), flush=True)


if __name__ == "__main__":
    main()
