package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// asset is one file under /static/, compressed once at start.
type asset struct {
	name, contentType string
	plain, packed     []byte
}

// assets are the embedded files by the name they are served under, which
// contains the hash of the content, so that a browser may keep them for ever.
type assets struct {
	byURL map[string]*asset
	urls  map[string]string // "app.css" -> "/static/app.0123456789ab.css"
}

func loadAssets() (*assets, error) {
	all := &assets{byURL: make(map[string]*asset), urls: make(map[string]string)}
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		plain, err := staticFiles.ReadFile("static/" + entry.Name())
		if err != nil {
			return nil, err
		}
		packed, err := pack(plain)
		if err != nil {
			return nil, fmt.Errorf("compressing %s: %w", entry.Name(), err)
		}
		sum := sha256.Sum256(plain)
		ext := path.Ext(entry.Name())
		url := "/static/" + strings.TrimSuffix(entry.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		all.byURL[url] = &asset{name: entry.Name(), contentType: contentType(ext), plain: plain, packed: packed}
		all.urls[entry.Name()] = url
	}
	return all, nil
}

func contentType(ext string) string {
	switch ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(ext)
}

func pack(plain []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// url gives the address of a file for templates.
func (a *assets) url(name string) (string, error) {
	if url, ok := a.urls[name]; ok {
		return url, nil
	}
	return "", fmt.Errorf("no asset %q", name)
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	found := a.byURL[r.URL.Path]
	if found == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", found.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	writePacked(w, r, found.plain, found.packed)
}

// writePacked answers with the compressed form where the client takes it.
func writePacked(w http.ResponseWriter, r *http.Request, plain, packed []byte) {
	w.Header().Set("Vary", "Accept-Encoding")
	body := plain
	if packed != nil && acceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		body = packed
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader that went away is not our concern
	}
}

func acceptsGzip(r *http.Request) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.ReplaceAll(quality, " ", "") != "q=0"
		}
	}
	return false
}
