# Functions for the walks from a new project to its first row. Sourced after script/lib.sh by each `walk`.

# snippet CLIENT TITLE: prints the text below TITLE, as a reader copies it from the output of `tidegate connect`.
snippet() {
  local text
  text=$(tidegate connect demo --with "$1" | awk -v title="# $2" '$0 == title { on = 1; next } on && /^(# |- )/ { exit } on')
  [ -n "$text" ] || die "tidegate connect demo --with $1 prints no \"$2\""
  printf '%s\n' "$text"
}

# go_program IMPORTS AFTER: a program with the snippet on standard input: its imports and more, then its statements.
go_program() {
  local text
  text=$(cat)
  echo 'package main'
  sed -n '/^import (/,/^)/p' <<<"$text" | sed "/^)/d"
  printf '%s\n)\n' "$1"
  echo "$2"
  echo 'func main() {'
  sed '/^import (/,/^)/d' <<<"$text"
  echo "$3"
  echo '}'
}
