// Package migrations holds the SQL that makes each partition's schema: DIR/NNNN_verb_noun.sql, forward only. A file
// that has been released is never changed; package db applies them and checks that.
package migrations

import "embed"

// Files are the migrations, a directory for each partition.
//
//go:embed forums/*.sql posts/*.sql users/*.sql ops/*.sql
var Files embed.FS
