package tail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"kibitz/ingest/pglog"
)

// state is what survives a kill: where the last portion begins and ends.
type state struct {
	Seq   int64 // it begins with the microseconds of 1970, so that it grows even when this file is lost
	Done  bool  // the portion is in the spool, and needs not be read again
	Saved time.Time
	Files []place // where the portion begins
	Next  []place // where it ends
	Past  []place // files that are not followed, and their ends
}

// place is how far a file has been read: everything before Offset, but for what waits for its other half.
type place struct {
	Path string
	identity
	Head     uint32 // CRC-32C of the first HeadSize bytes, by which a file is known that has another's inode
	HeadSize int64
	Offset   int64
	Format   pglog.Format
	Prefix   string
	Unpaired pglog.Unpaired `json:",omitempty"`
	Silent   bool           // the log was silent for so long that plans waited no more
}

// identity is a file whatever it is called.
type identity struct{ Device, Inode uint64 }

// loadState reads it; first tells that there is none.
func loadState(name string) (s state, first bool, err error) {
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, true, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil {
		return s, false, fmt.Errorf("cannot read how far logs have been read (remove the file to begin at their ends): %w", err)
	}
	return s, false, nil
}

// saveState replaces the file in one step, and waits for the disk.
func saveState(name string, s state) (err error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err == nil {
		err = syncDir(filepath.Dir(name))
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
