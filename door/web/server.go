package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"granary/base/clock"
)

// Timeouts and bounds of the server that carries the page.
const (
	ReadTimeout    = 10 * time.Second
	WriteTimeout   = 30 * time.Second
	IdleTimeout    = 60 * time.Second
	MaxHeaderBytes = 16 << 10
	// MaxQueryBytes bounds what the search box takes.
	MaxQueryBytes = 200
)

// Server is the page's http.Handler. It is safe for concurrent use.
type Server struct {
	options   Options
	assets    *assets
	templates *template.Template
	money     money
	mux       *http.ServeMux
	summaries *summaryCache
	ledgers   ledgerCache
	charts    coverageCache
	started   time.Time
}

// New prepares the page: templates parsed, assets compressed.
func New(options Options) (*Server, error) {
	if options.Clock == nil {
		options.Clock = clock.Real{}
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{options: options, money: moneyOf(&options), summaries: newSummaryCache(), started: options.Clock.Now()}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.templates, err = loadTemplates(s); err != nil {
		return nil, err
	}
	s.routes()
	return s, nil
}

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("GET /static/", s.assets.serve)
	s.mux.HandleFunc("GET /{$}", s.page(s.home))
	s.mux.HandleFunc("GET /live", s.live)
	s.mux.HandleFunc("GET /blocks", s.page(s.blocks))
	s.mux.HandleFunc("GET /block/{id}", s.page(s.block))
	s.mux.HandleFunc("GET /tx/{id}", s.page(s.transaction))
	s.mux.HandleFunc("GET /seats", s.page(s.seats))
	s.mux.HandleFunc("GET /reserve", s.page(s.reserve))
	s.mux.HandleFunc("GET /receipts", s.page(s.receipts))
	s.mux.HandleFunc("GET /receipt/{number}", s.page(s.receipt))
	s.mux.HandleFunc("GET /claims", s.page(s.claims))
	s.mux.HandleFunc("GET /claim/{number}", s.page(s.claim))
	s.mux.HandleFunc("GET /custodians", s.page(s.custodians))
	s.mux.HandleFunc("GET /custodian/{index}", s.page(s.custodian))
	s.mux.HandleFunc("GET /auditors", s.page(s.auditorsPage))
	s.mux.HandleFunc("GET /auditor/{index}", s.page(s.auditor))
	s.mux.HandleFunc("GET /changes", s.page(s.changes))
	s.mux.HandleFunc("GET /inspections", s.page(s.inspections))
	s.mux.HandleFunc("GET /charter", s.page(s.charter))
	s.mux.HandleFunc("GET /search", s.search)
	s.mux.HandleFunc("GET /", s.page(func(*http.Request) (*page, error) {
		return nil, notFound("There is no such page here.")
	}))
}

// policy is the content security policy: nothing but the page's own files.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "this door only shows: GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// page is what a handler gives to the templates.
type page struct {
	Title    string
	Template string // the name of the body's template
	Section  string // the part of the navigation that is lit
	Body     any
}

// statusError is an answer for the person that is not a page.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

func notFound(format string, args ...any) error {
	return &statusError{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

// page turns a handler into one that renders, compresses and answers errors.
func (s *Server) page(handler func(*http.Request) (*page, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		made, err := handler(r)
		if err != nil {
			made, status = s.errorPage(err)
		}
		s.render(w, r, status, "layout", made)
	}
}

func (s *Server) errorPage(err error) (*page, int) {
	var known *statusError
	if errors.As(err, &known) {
		return &page{Title: "Not found", Template: "error", Body: known.text}, known.status
	}
	s.options.Log.Warn("the page could not be made", "err", err)
	return &page{
		Title: "Something failed", Template: "error",
		Body: "This page could not be made. The node's log says why.",
	}, http.StatusInternalServerError
}

// render writes one template as the answer. Nothing is sent before the whole
// template has run.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var body bytes.Buffer
	if err := s.templates.ExecuteTemplate(&body, name, data); err != nil {
		s.options.Log.Error("a template failed", "template", name, "err", err)
		http.Error(w, "this page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	var packed []byte
	if acceptsGzip(r) {
		var err error
		if packed, err = pack(body.Bytes()); err != nil {
			packed = nil
		}
	}
	if status != http.StatusOK {
		// Headers must be complete before WriteHeader; errors go uncompressed.
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			_, _ = w.Write(body.Bytes())
		}
		return
	}
	writePacked(w, r, body.Bytes(), packed)
}

func moneyOf(options *Options) money {
	if options.Charter == nil {
		return money{ticker: "coin", decimals: 8}
	}
	return money{ticker: options.Charter.Ticker, decimals: int(options.Charter.Decimals)}
}
