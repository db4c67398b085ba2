package perfpgx

import "testing"

func TestIsTransaction(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{"begin": true, "BEGIN": true, "begin isolation level serializable": true, "commit;": true, "rollback to savepoint a": true,
		"savepoint a": true, "release\na": true, "": false, "beg": false, "beginning": false, "select 1": false, "rollback_all()": false, "commits": false} {
		if isTransaction(sql) != want {
			t.Errorf("%q: %v", sql, !want)
		}
	}
}
