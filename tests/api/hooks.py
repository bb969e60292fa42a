"""Hooks of schemathesis. Gives each request with a valid idempotency key a new one: the generated keys are often equal, and
the server rightly refuses a key that was used for another request."""

import re
import uuid

import schemathesis

VALID_KEY = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")
HEADER = "Idempotency-Key"


@schemathesis.hook
def before_call(context, case, kwargs):
    key = (case.headers or {}).get(HEADER)
    if isinstance(key, str) and VALID_KEY.fullmatch(key):
        case.headers[HEADER] = f'"{uuid.uuid4()}"'
