package db

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// PoolStat is the connections of a partition: of its primary and its replicas, for all uses.
type PoolStat struct {
	Used, Idle int
	Empty      int64         // how often since the start there was no free connection at once
	Waited     time.Duration // how long those who wanted one then waited for it, together
}

// PoolStats are those of all partitions.
func (d *DB) PoolStats() map[Partition]PoolStat {
	out := map[Partition]PoolStat{}
	for name, p := range d.parts {
		var s PoolStat
		for _, pool := range p.primary {
			s.add(pool.Stat())
		}
		for _, pool := range p.replicas {
			s.add(pool.Stat())
		}
		out[name] = s
	}
	return out
}

func (s *PoolStat) add(p *pgxpool.Stat) {
	s.Used, s.Idle = s.Used+int(p.AcquiredConns()), s.Idle+int(p.IdleConns())
	s.Empty, s.Waited = s.Empty+p.EmptyAcquireCount(), s.Waited+p.EmptyAcquireWaitTime()
}
