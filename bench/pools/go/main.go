// Pool of Go's database/sql with idle connections. Arguments: seconds; idle, ping or query; and the idle time after
// which the pool closes a connection ("0s": never, the default). Prints the errors that the application sees.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
)

const connections = 3

func work(db *sql.DB, what string, counts map[string]int) {
	var err error
	if what == "ping" {
		err = db.Ping()
	} else {
		_, err = db.Exec("SELECT 1")
	}
	var known *mysql.MySQLError
	if errors.As(err, &known) {
		counts[strconv.Itoa(int(known.Number))]++
	} else if err != nil {
		counts[err.Error()]++
	}
}

func open(idle string) *sql.DB {
	pem, err := os.ReadFile(os.Getenv("TG_CA"))
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	if err := mysql.RegisterTLSConfig("tidegate", &tls.Config{ServerName: "127.0.0.1", RootCAs: roots}); err != nil {
		log.Fatal(err)
	}
	user := os.Getenv("TG_USER") + ":" + os.Getenv("TG_PASSWORD")
	db, err := sql.Open("mysql", user+"@tcp(127.0.0.1:"+os.Getenv("TG_PORT")+")/test?tls=tidegate")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	limit, err := time.ParseDuration(idle)
	if err != nil {
		log.Fatal(err)
	}
	db.SetConnMaxIdleTime(limit)
	return db
}

// Opens all connections of the pool, and gives them back.
func fill(db *sql.DB) {
	var held []*sql.Conn
	for range connections {
		connection, err := db.Conn(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		held = append(held, connection)
	}
	for _, connection := range held {
		connection.Close()
	}
}

func main() {
	seconds, err := strconv.ParseFloat(os.Args[1], 64)
	if err != nil {
		log.Fatal(err)
	}
	every, err := strconv.ParseFloat(os.Getenv("TG_EVERY"), 64)
	if err != nil {
		log.Fatal(err)
	}
	db := open(os.Args[3])
	fill(db)
	fmt.Println("filled")
	counts := map[string]int{}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	for time.Now().Before(end) {
		time.Sleep(time.Duration(every * float64(time.Second)))
		if os.Args[2] != "idle" {
			work(db, os.Args[2], counts)
		}
	}
	// The first request after the idle time.
	work(db, "query", counts)
	text, _ := json.Marshal(counts)
	fmt.Println(string(text))
}
