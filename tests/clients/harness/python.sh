# Turns a string in Python into a program. Sourced by `run` and `have` of the Python clients; contains no client's name.
. "$(dirname "${BASH_SOURCE[0]}")/../../../script/lib.sh"

CLIENT_PYTHON="$CLIENT_CACHE/python/bin/python"

# python_has MODULE, ...: for `have`.
python_has() {
  "$CLIENT_PYTHON" -c "import $*" 2>/dev/null || { echo "it is not installed (pip)"; exit 1; }
}

# python_run DISTRIBUTION OFF REST: runs the unchanged string, or OFF to turn TLS off, then REST.
python_run() {
  echo "version $("$CLIENT_PYTHON" -c "from importlib.metadata import version; print(version('$1'))")"
  {
    if [ "$TG_SETTING" = off ]; then printf '%s\n' "$PYTHON_OFF_VALUES" "$2"; else cat "$TG_STRING"; fi
    printf '%s\n' "$3"
  } >program.py
  exec "$CLIENT_PYTHON" program.py
}

PYTHON_OFF_VALUES='
import os
host, port, database = os.environ["TG_HOST"], int(os.environ["TG_PORT"]), os.environ["TG_DATABASE"]
user, password = os.environ["TG_USER"], os.environ["TG_PASSWORD"]
'
