// Command verify checks the certificate of a MySQL endpoint with Go's crypto/x509: it reads the greeting, requests
// TLS, and runs the handshake with CA as the only root. It never logs in.
//
// Usage: go run verify.go CA HOST PORT [NAME]     NAME is the name in the certificate (default: HOST)
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// The client's side of a handshake may take this long: the CI machine has two busy cores.
const patience = 20 * time.Second

func main() {
	if len(os.Args) < 4 {
		fail(2, "usage: verify CA HOST PORT [NAME]")
	}
	name := os.Args[2]
	if len(os.Args) > 4 {
		name = os.Args[4]
	}
	state, err := verify(os.Args[1], net.JoinHostPort(os.Args[2], os.Args[3]), name)
	if err != nil {
		fail(1, err.Error())
	}
	fmt.Printf("go: verified %s, %s\n", name, tls.VersionName(state.Version))
}

func fail(code int, text string) {
	fmt.Fprintln(os.Stderr, "go:", text)
	os.Exit(code)
}

func verify(ca, address, name string) (*tls.ConnectionState, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate", ca)
	}
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if err := askForTLS(conn); err != nil {
		return nil, err
	}
	secured := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12})
	if err := secured.Handshake(); err != nil {
		return nil, err
	}
	state := secured.ConnectionState()
	return &state, nil
}

// askForTLS reads the greeting and sends an SSLRequest.
func askForTLS(conn net.Conn) error {
	var header [4]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return err
	}
	length := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	if _, err := io.ReadFull(conn, make([]byte, length)); err != nil {
		return err
	}
	request := make([]byte, 36)
	request[0], request[3] = 32, 1
	// LONG_PASSWORD, PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH.
	binary.LittleEndian.PutUint32(request[4:], 1|1<<9|1<<11|1<<15|1<<19)
	binary.LittleEndian.PutUint32(request[8:], 1<<24)
	request[12] = 45
	_, err := conn.Write(request)
	return err
}
