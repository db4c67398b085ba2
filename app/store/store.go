// Package store holds all SQL on Kibitz's tables, in files named after their partition. A statement touches one
// partition; rows of several are put together in Go, by callers.
package store

import "kibitz/app/db"

// Store reads and writes Kibitz's tables.
type Store struct{ db *db.DB }

// New is a store over open databases.
func New(d *db.DB) *Store { return &Store{d} }

// IsDataError tells that the values themselves cannot be stored: trying again would fail again.
func IsDataError(err error) bool { return db.ClassOf(err) == db.Data }

// IsSchemaError tells that the database does not fit this program.
func IsSchemaError(err error) bool { return db.ClassOf(err) == db.Schema }
