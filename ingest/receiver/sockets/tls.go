package sockets

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"kibitz/app/errs"
)

// TLSConfig reads a certificate and its key, and the authorities whose clients alone may send; "": any client may. Without a
// certificate there is no TLS.
func TLSConfig(cert, key, clientCA string) (*tls.Config, error) {
	if cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("cannot read syslog_tls_cert and syslog_tls_key: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clientCA == "" {
		return c, nil
	}
	text, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, fmt.Errorf("cannot read syslog_tls_client_ca: %w", err)
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !c.ClientCAs.AppendCertsFromPEM(text) {
		return nil, errs.New(errs.Invalid, "syslog_tls_client_ca: %s holds no certificate in PEM.", clientCA)
	}
	return c, nil
}
