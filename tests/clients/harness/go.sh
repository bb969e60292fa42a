# Functions for the runs of Go clients: a string is put unchanged into a program (its imports on top, the rest into main)
# beside the folder's own files, and run. Sourced after script/lib.sh by a folder's run and have.

GO_FOLDER=$(cd "$(dirname "$0")" && pwd)
GO_MADE="$CLIENT_CACHE/go/$(basename "$GO_FOLDER")"

go_have() {
  have go || { echo "no Go is installed"; exit 1; }
  [ -e "$GO_MADE/.made-from" ] || { echo "its modules were not to be had"; exit 1; }
}

go_version() { echo "version $(awk -v module="$1" '{ sub("^require ", "") } $1 == module { print $2 }' "$GO_FOLDER/go.mod")"; }

# go_run TEXT AFTER: puts both into main, one after the other.
go_run() {
  cp "$GO_FOLDER"/go.mod "$GO_FOLDER"/go.sum .
  cp "$GO_FOLDER"/row.go.txt row.go
  {
    echo 'package main'
    sed -n '/^import /,/^)/p' <<<"$1"
    echo 'func main() {'
    sed '/^import /,/^)/d' <<<"$1"
    echo "$2"
    echo '}'
  } >main.go
  GOPROXY=off GOFLAGS=-mod=mod GOTOOLCHAIN=local go run .
}
