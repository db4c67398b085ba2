// Package static holds the files that pages need, embedded, under names that carry a hash of their content: they may
// be kept for ever by caches, and a new version has a new name.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"path"
	"strings"
	"sync"
)

//go:embed *.css *.js *.svg
var files embed.FS

type file struct {
	body, gz []byte
	kind     string
}

type table struct {
	paths map[string]string // name -> /static/name.hash.ext
	files map[string]file   // name.hash.ext -> file
}

var kinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// load hashes and compresses every file, once.
var load = sync.OnceValue(func() table {
	t := table{map[string]string{}, map[string]file{}}
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the program was built wrongly
	}
	for _, e := range entries {
		body, err := files.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(e.Name())
		hashed := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		t.paths[e.Name()] = "/static/" + hashed
		t.files[hashed] = file{body, squeeze(body), kinds[ext]}
	}
	return t
})

// squeeze compresses b with gzip, or is nil when that saves nothing.
func squeeze(b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(b); err != nil || w.Close() != nil || out.Len() >= len(b) {
		return nil
	}
	return out.Bytes()
}

// Path is the address of a file: "base.css" is at "/static/base.0123456789ab.css". A name that there is none of is a
// fault of the program and answers the bare name.
func Path(name string) string {
	if p, ok := load().paths[name]; ok {
		return p
	}
	return "/static/" + name
}

// Open is the file with a hashed name: its bytes, the same compressed with gzip or nil, and its content type.
func Open(hashed string) (body, gz []byte, contentType string, ok bool) {
	f, ok := load().files[hashed]
	return f.body, f.gz, f.kind, ok
}

// Client is the client of feature switches for pages of other sites, without comments and indentation, as it is and
// compressed, and a tag of its content.
var Client = sync.OnceValue(func() ClientFile {
	source, err := files.ReadFile("switches.js")
	if err != nil {
		panic(err) // the program was built wrongly
	}
	var lean bytes.Buffer
	for line := range bytes.Lines(source) {
		if line = bytes.TrimLeft(line, " \t"); len(bytes.TrimSpace(line)) > 0 && !bytes.HasPrefix(line, []byte("//")) {
			lean.Write(line)
		}
	}
	sum := sha256.Sum256(lean.Bytes())
	return ClientFile{lean.Bytes(), squeeze(lean.Bytes()), `"` + hex.EncodeToString(sum[:6]) + `"`}
})

// ClientFile is a script, the same compressed with gzip, and its ETag.
type ClientFile struct {
	Body, Gzip []byte
	ETag       string
}
