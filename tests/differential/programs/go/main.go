// Program of go-sql-driver: each statement as text, and each SELECT as a prepared statement too.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-sql-driver/mysql"
)

type seen map[string]any

var ctx = context.Background()

func emit(step string, what seen) {
	what["step"] = step
	line, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

func failure(err error) any {
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		return []any{refused.Number, string(refused.SQLState[:]), refused.Message}
	}
	return err.Error()
}

func config() *mysql.Config {
	pem, err := os.ReadFile(os.Getenv("TG_CA"))
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", os.Getenv("TG_HOST")+":"+os.Getenv("TG_PORT")
	c.User, c.Passwd, c.DBName = os.Getenv("TG_USER"), os.Getenv("TG_PASSWORD"), os.Getenv("TG_DATABASE")
	c.TLS = &tls.Config{RootCAs: pool, ServerName: os.Getenv("TG_HOST")}
	c.MultiStatements, c.MaxAllowedPacket = true, 0
	return c
}

func open(c *mysql.Config) *sql.DB {
	connector, err := mysql.NewConnector(c)
	if err != nil {
		panic(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db
}

func shown(value any) any {
	data, isBytes := value.([]byte)
	if !isBytes {
		return fmt.Sprintf("%T %v", value, value)
	}
	if len(data) > 200 {
		return fmt.Sprintf("%d bytes %x", len(data), sha256.Sum256(data))
	}
	return fmt.Sprintf("%q", data)
}

func read(rows *sql.Rows) (results []any, err error) {
	defer rows.Close()
	for {
		types, err := rows.ColumnTypes()
		if err != nil {
			return results, err
		}
		columns := []any{}
		for _, t := range types {
			nullable, _ := t.Nullable()
			precision, scale, _ := t.DecimalSize()
			columns = append(columns, []any{t.Name(), t.DatabaseTypeName(), nullable, precision, scale, t.ScanType().String()})
		}
		all := []any{}
		for rows.Next() {
			values, places := make([]any, len(types)), make([]any, len(types))
			for i := range values {
				places[i] = &values[i]
			}
			if err := rows.Scan(places...); err != nil {
				return results, err
			}
			row := []any{}
			for _, value := range values {
				row = append(row, shown(value))
			}
			all = append(all, row)
		}
		results = append(results, seen{"columns": columns, "rows": all})
		if !rows.NextResultSet() {
			return results, rows.Err()
		}
	}
}

func returnsRows(statement string) bool {
	first := strings.ToLower(strings.Fields(statement + " x")[0])
	for _, word := range []string{"select", "show", "with", "call", "explain", "describe", "check", "checksum", "analyze", "execute", "set"} {
		if first == word {
			return true
		}
	}
	return strings.Contains(statement, "returning")
}

func run(step, statement string, conn *sql.Conn, values ...any) {
	what := seen{}
	if returnsRows(statement) {
		rows, err := conn.QueryContext(ctx, statement, values...)
		if err == nil {
			what["results"], err = read(rows)
		}
		if err != nil {
			what["error"] = failure(err)
		}
	} else {
		result, err := conn.ExecContext(ctx, statement, values...)
		if err != nil {
			what["error"] = failure(err)
		} else {
			what["affected"], _ = result.RowsAffected()
			what["id"], _ = result.LastInsertId()
		}
	}
	emit(step, what)
}

func prepared(step, statement string, conn *sql.Conn) {
	what := seen{}
	prepared, err := conn.PrepareContext(ctx, statement)
	if err == nil {
		defer prepared.Close()
		var rows *sql.Rows
		if rows, err = prepared.QueryContext(ctx); err == nil {
			what["results"], err = read(rows)
		}
	}
	if err != nil {
		what["error"] = failure(err)
	}
	emit(step, what)
}

func transactions(db *sql.DB) {
	for _, level := range []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelSerializable} {
		for _, readOnly := range []bool{false, true} {
			what := seen{}
			tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
			if err == nil {
				_, insert := tx.Exec("insert into t (a) values (?)", 9000)
				what["insert"] = fmt.Sprint(insert)
				err = tx.Rollback()
			}
			what["end"] = fmt.Sprint(err)
			emit(fmt.Sprintf("transaction %v %v", level, readOnly), what)
		}
	}
}

func infile(conn *sql.Conn) {
	mysql.RegisterReaderHandler("rows", func() io.Reader { return strings.NewReader(strings.Repeat("1\tx\n", 30000)) })
	run("infile create", "create temporary table loaded (a int, b varchar(10))", conn)
	run("infile load", "load data local infile 'Reader::rows' into table loaded", conn)
	run("infile count", "select count(*), sum(a) from loaded", conn)
}

func refused() {
	for step, change := range map[string]func(*mysql.Config){
		"refused password": func(c *mysql.Config) { c.Passwd = "wrong" },
	} {
		c := config()
		change(c)
		emit(step, seen{"error": failure(open(c).Ping())})
	}
	c := config()
	c.DBName = "no_such_database"
	emit("unknown database", seen{"error": failure(open(c).Ping())})
	c = config()
	c.ConnectionAttributes = "program_name:differential," + "long:" + strings.Repeat("x", 300)
	emit("attributes", seen{"error": fmt.Sprint(open(c).Ping())})
}

func main() {
	db := open(config())
	if os.Args[1] == "login" {
		if err := db.Ping(); err != nil {
			panic(err)
		}
		return
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		panic(err)
	}
	text, err := os.ReadFile(filepath.Clean(os.Args[1]))
	if err != nil {
		panic(err)
	}
	number := 0
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		number++
		name := fmt.Sprintf("%d %.60s", number, line)
		run(name, line, conn)
		if strings.HasPrefix(line, "select") || strings.HasPrefix(line, "show") {
			prepared("prepared "+name, line, conn)
		}
	}
	run("parameters", "select ?, ?, ?, ?, ?", conn, 1, 2.5, "ä", []byte{0, 255}, nil)
	run("large", "select repeat('x', 17000000)", conn)
	run("long", "select length(?)", conn, strings.Repeat("y", 17000000))
	infile(conn)
	run("planted", "select '"+os.Getenv("TG_SIDE")+"'", conn)
	if err := conn.Close(); err != nil {
		panic(err)
	}
	transactions(db)
	refused()
}
