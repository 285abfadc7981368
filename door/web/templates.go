package web

import (
	"embed"
	"fmt"
	"html/template"
	"math"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

// loadTemplates parses every template with the functions they may use.
func loadTemplates(s *Server) (*template.Template, error) {
	functions := template.FuncMap{
		"asset":   s.assets.url,
		"amount":  func(units any) template.HTML { return s.money.html(toInt64(units)) },
		"count":   countAny,
		"plural":  func(n any, one string) string { return plural(toInt64(n), one) },
		"short":   short,
		"size":    bytesText,
		"span":    span,
		"percent": percentBP,
		"ago":     ago,
		"unix":    time.Time.Unix,
		"stamp":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" },
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"name":    s.name,
		"ticker":  func() string { return s.money.ticker },
		"network": func() string { return s.options.Net.Name },
		"version": func() string { return s.options.Version },
		"charted": func() bool { return s.options.Charter != nil },
		"body":    func(name string, data any) (template.HTML, error) { return s.include(name, data) },
		"part":    func(i, n int) string { return fmt.Sprintf("%.3f%%", 100*float64(i)/float64(max(n, 1))) },
		"pair":    func(a, b any) [2]any { return [2]any{a, b} },
	}
	return template.New("page").Funcs(functions).ParseFS(templateFiles, "templates/*.html")
}

// include renders the template whose name is only known at run time.
func (s *Server) include(name string, data any) (template.HTML, error) {
	var out htmlBuffer
	err := s.templates.ExecuteTemplate(&out, name, data)
	return template.HTML(out.text), err //nolint:gosec // the output of html/template
}

type htmlBuffer struct{ text []byte }

func (b *htmlBuffer) Write(p []byte) (int, error) {
	b.text = append(b.text, p...)
	return len(p), nil
}

func countAny(n any) string { return count(toInt64(n)) }

// toInt64 takes the whole numbers that templates hand over.
func toInt64(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int32:
		return int64(n)
	case int64:
		return n
	case uint32:
		return int64(n)
	case uint16:
		return int64(n)
	case uint8:
		return int64(n)
	case uint64:
		return int64(min(n, math.MaxInt64))
	}
	return 0
}
