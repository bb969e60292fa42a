"""Runs the steps of a browser test in order, against a new server. Contains no step."""

import shutil
import sys
import traceback

from host import Server, the_own_folder


def steps(way, name, on_failure=None):
    """Runs each step in its order and returns how many failed."""
    failed = 0
    for number, step in enumerate(step for step in vars(type(way)) if step.startswith("step_")):
        title = step.removeprefix("step_").replace("_", " ")
        try:
            getattr(way, step)()
            print(f"{name} {title}: passed", flush=True)
        except Exception as error:
            failed += 1
            print(f"{name} {title}: FAILED {(str(error) or repr(error)).splitlines()[0]}", flush=True)
            traceback.print_exc()
            if on_failure:
                on_failure(number)
    return failed


def with_a_server(walk):
    """Runs the test and exits with its result; the server and its folder are removed before."""
    folder = the_own_folder()
    server = Server(folder)
    try:
        failed = walk(server)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)
