package health

import (
	"fmt"
	"strconv"

	"kibitz/app/model"
)

const (
	// goodHits is PgHero's limit for tables and indexes.
	goodHits = 0.99
	// fewBlocks: with fewer block accesses the first, cold read of each is still seen.
	fewBlocks = 10_000
	// rising: index blocks read from disk a second, now against before; below risingFloor it is noise.
	rising, risingFloor = 2.0, 20.0
)

// hitRate is the share of blocks found in shared buffers; ok is false when too few were asked for.
func hitRate(hits, reads int64) (share float64, ok bool) {
	if hits+reads < fewBlocks {
		return 0, false
	}
	return float64(hits) / float64(hits+reads), true
}

func tableHits(s Server) model.Finding { return hits("table", s.Vitals.TableHits, s.Vitals.TableReads) }

func indexHits(s Server) model.Finding { return hits("index", s.Vitals.IndexHits, s.Vitals.IndexReads) }

func hits(what string, hits, reads int64) model.Finding {
	share, ok := hitRate(hits, reads)
	if !ok {
		return unknown("Only %s %s blocks were asked for so far; %s are needed to tell.", Count(hits+reads), what, Count(fewBlocks))
	}
	f := well("%s %% of %s %s blocks were found in shared buffers.", percent(share), Count(hits+reads), what)
	if share < goodHits {
		f.Verdict = model.Warn
		f.Advice = "Below 99 % statements wait for the page cache or the disk. Give shared_buffers more memory, or make the data that is read smaller: missing indexes, unused ones, bloat."
	}
	return withValue(f, percent(share), "%")
}

// bytesOf is a setting counted in blocks or kB.
func bytesOf(v model.Setting) int64 {
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil {
		return 0
	}
	unit, ok := map[string]int64{"8kB": 8 << 10, "kB": 1 << 10, "MB": 1 << 20, "B": 1, "": 1, "16MB": 16 << 20}[v.Unit]
	if !ok {
		return 0
	}
	return n * unit
}

// indexMemory answers whether the indexes fit in memory: in shared buffers, or in what the machine has for its page cache, or at
// least those parts that are read.
func indexMemory(s Server) model.Finding {
	total, cached := indexBytes(s)
	shared := bytesOf(s.Settings["shared_buffers"])
	switch {
	case len(s.Schemas) == 0:
		return unknown("The indexes of this server could not be read.")
	case shared == 0:
		return unknown("shared_buffers could not be read.")
	}
	f := placed(s, total, shared)
	if s.Cached != nil && total > 0 {
		f.Said += fmt.Sprintf(" %s %% of them is in shared buffers now.", percent(float64(cached)/float64(total)))
	}
	if s.ReadsNow >= 0 && s.ReadsBefore >= 0 && s.ReadsNow > risingFloor && s.ReadsNow > rising*s.ReadsBefore {
		f.Verdict = worst(f.Verdict, model.Warn)
		f.Said += fmt.Sprintf(" Index blocks read from outside rose from %.0f to %.0f a second within the hour.", s.ReadsBefore, s.ReadsNow)
	}
	f.Items = largestIndexes(s)
	return withValue(f, Bytes(total), "of "+Bytes(shared))
}

// placed says where so many bytes of indexes find room.
func placed(s Server, total, shared int64) model.Finding {
	share, measured := hitRate(s.Vitals.IndexHits, s.Vitals.IndexReads)
	switch {
	case total <= shared:
		return well("All indexes, %s, fit into shared buffers, %s.", Bytes(total), Bytes(shared))
	case s.MemoryAvailable > 0 && total <= shared+s.MemoryAvailable:
		return well("The indexes, %s, are larger than shared buffers, %s, and fit into memory with the %s that the machine has free.", Bytes(total), Bytes(shared), Bytes(s.MemoryAvailable))
	case measured && share < goodHits:
		f := well("The indexes, %s, do not fit into memory: shared buffers have %s, and %s %% of what is read of them was found there.", Bytes(total), Bytes(shared), percent(share))
		f.Verdict = model.Warn
		if s.MemoryAvailable > 0 {
			f.Verdict = model.Bad
		}
		f.Advice = "Drop unused and duplicate indexes first, rebuild bloated ones, then give the machine memory, or the partition a server of its own."
		return f
	case measured && s.MemoryAvailable > 0:
		f := well("The indexes, %s, are larger than memory; the parts that are read fit: %s %% was found in shared buffers.", Bytes(total), percent(share))
		return f
	case measured:
		return unknown("The indexes, %s, are larger than shared buffers, %s, and what memory the server's machine has is not known here; %s %% of what is read was found.", Bytes(total), Bytes(shared), percent(share))
	}
	return unknown("The indexes, %s, are larger than shared buffers, %s, and too little was read of them to tell whether it matters.", Bytes(total), Bytes(shared))
}

func indexBytes(s Server) (total, cached int64) {
	for _, schema := range s.Schemas {
		for _, i := range schema.Indexes {
			total += i.Bytes
			cached += s.Cached[i.OID]
		}
	}
	return total, cached
}

// largestIndexes are those that would be gained most by.
func largestIndexes(s Server) (items []model.FindingItem) {
	var all []model.IndexFacts
	parts := map[string]string{}
	for _, schema := range s.Schemas {
		for _, i := range folded(schema.Indexes) {
			all = append(all, i)
			parts[i.RootIndex] = schema.Part
		}
	}
	byBytes(all)
	for _, i := range all[:min(len(all), 5)] {
		said := Bytes(i.Bytes)
		if share, ok := hitRate(i.Hits, i.Reads); ok {
			said += ", " + percent(share) + " % found in shared buffers"
		}
		items = append(items, model.FindingItem{Name: parts[i.RootIndex] + "." + i.RootIndex, Said: said})
	}
	return items
}
