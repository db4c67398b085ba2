package pglocal

import "fmt"

// promises are the settings without which an acknowledged write may be lost or a damaged page go unnoticed, with
// the values that keep the promise and how to mend it.
var promises = []struct {
	name   string
	values []string
	mend   string
}{
	{"fsync", []string{"on"}, "remove it from postgresql.conf and postgresql.auto.conf"},
	{"full_page_writes", []string{"on"}, "remove it from postgresql.conf and postgresql.auto.conf"},
	{"synchronous_commit", []string{"on", "remote_apply"}, "remove it from postgresql.conf and postgresql.auto.conf, and from the settings of the role and the database"},
	{"data_checksums", []string{"on"}, "stop Kibitz and run `pg_checksums --enable -D` with the data directory"},
}

// Durability asks for the settings that acknowledged writes depend on, and fails on the first that is not as it
// must be. Show is what SHOW answers, as any connection sees it.
func Durability(show func(name string) (string, error)) error {
	for _, p := range promises {
		value, err := show(p.name)
		if err != nil {
			return fmt.Errorf("cannot read the setting %s of PostgreSQL: %w", p.name, err)
		}
		kept := false
		for _, v := range p.values {
			kept = kept || v == value
		}
		if !kept {
			return fmt.Errorf("PostgreSQL has %s = %s, and Kibitz would lose data in a crash: %s", p.name, value, p.mend)
		}
	}
	return nil
}
