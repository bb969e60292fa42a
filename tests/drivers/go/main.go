// The Go driver against the endpoint: verified, with a wrong CA, with a wrong host, without TLS, and with a pool that
// lives through a sleep. Reads TG_*; exits with 0 only if each behaves as expected.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"

	"github.com/go-sql-driver/mysql"
)

func env(name string) string { return os.Getenv("TG_" + name) }

func main() {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/go-sql-driver/mysql" {
				fmt.Println("version", module.Version)
			}
		}
	}
	must("verified", verified(env("HOST"), env("CA")))
	mustFail("a wrong CA", verified(env("HOST"), env("WRONG_CA")))
	mustFail("a wrong host", verified(env("WRONG_HOST"), env("CA")))
	must("TLS off", withoutTLS())
	if env("SLEEP") != "" {
		must("a pool over a sleep", poolOverSleep())
	}
}

func must(what string, err error) {
	if err != nil {
		fmt.Printf("%s: %v\n", what, err)
		os.Exit(1)
	}
}

func mustFail(what string, err error) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	if !errors.As(err, &unknown) && !errors.As(err, &name) {
		fmt.Printf("%s must fail in verification, not: %v\n", what, err)
		os.Exit(1)
	}
}

func open(host, ca string) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", host+":"+env("PORT")
	config.User, config.Passwd, config.DBName = env("USER"), env("PASSWORD"), env("DATABASE")
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, errors.New("no certificate in " + ca)
		}
		config.TLS = &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func verified(host, ca string) error {
	db, err := open(host, ca)
	if err != nil {
		return err
	}
	defer db.Close()
	return answers(db)
}

func answers(db *sql.DB) error {
	var n int
	// With an argument: prepared on the server.
	if err := db.QueryRow("SELECT 6 * ?", 7).Scan(&n); err != nil {
		return err
	}
	if n != 42 {
		return fmt.Errorf("6 * 7 = %d", n)
	}
	return nil
}

func withoutTLS() error {
	db, err := open(env("HOST"), "")
	if err != nil {
		return err
	}
	defer db.Close()
	var refused *mysql.MySQLError
	if err := db.Ping(); !errors.As(err, &refused) || refused.Number != 3159 {
		return fmt.Errorf("3159 was expected, not: %v", err)
	}
	return nil
}

func poolOverSleep() error {
	db, err := open(env("HOST"), env("CA"))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxIdleConns(4)
	// Four connections at once, given back idle.
	var taken []*sql.Conn
	for range 4 {
		conn, err := db.Conn(context.Background())
		if err != nil {
			return err
		}
		taken = append(taken, conn)
	}
	for _, conn := range taken {
		conn.Close()
	}
	for round := range 3 {
		if out, err := exec.Command("sh", "-c", env("SLEEP")).CombinedOutput(); err != nil {
			return fmt.Errorf("sleep %d: %v: %s", round, err, out)
		}
		if err := answers(db); err != nil {
			return fmt.Errorf("the query after sleep %d: %w", round, err)
		}
	}
	return nil
}
