package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Node is one database server as a partition sees it: its primary, or one of its replicas. Several nodes are one server
// where partitions share it.
type Node struct {
	Part    Partition
	Replica int // 0: the primary; n: the nth of the replicas that are configured
}

// String is the node's name on pages: "ops", "ops replica 1".
func (n Node) String() string {
	if n.Replica == 0 {
		return string(n.Part)
	}
	return fmt.Sprintf("%s replica %d", n.Part, n.Replica)
}

// Nodes are all servers of all partitions, a primary before its replicas.
func (d *DB) Nodes() (nodes []Node) {
	for _, name := range Partitions {
		for i := range len(d.parts[name].replicas) + 1 {
			nodes = append(nodes, Node{name, i})
		}
	}
	return nodes
}

// Look runs fn in a read-only transaction on one node, and always rolls it back: whatever fn runs cannot change a row.
// fn runs once.
func (d *DB) Look(ctx context.Context, node Node, fn func(pgx.Tx) error) error {
	q, err := d.on(ctx, node)
	if err != nil {
		return err
	}
	conn, err := q.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("cannot begin on %s: %w", node, unavailable(err))
	}
	// When ctx has ended the connection is closed with it, and the server rolls back by itself.
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	return unavailable(fn(tx))
}

func (d *DB) on(ctx context.Context, node Node) (querier, error) {
	p := d.parts[node.Part]
	if p == nil || node.Replica < 0 || node.Replica > len(p.replicas) {
		return querier{}, fmt.Errorf("there is no server %q", node)
	}
	var pool *pgxpool.Pool
	use := useOf(ctx)
	if pool = p.primary[use]; node.Replica > 0 {
		pool, use = p.replicas[node.Replica-1], Web
	}
	return querier{pool, d.limits(use), node.Part, d.caller}, nil
}
