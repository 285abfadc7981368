package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"granary/params"
)

// Options are the door's settings, complete before any service exists.
type Options struct {
	// Net is the base network of the chain behind the door.
	Net *params.Network
	// Version is the program's, without a leading v ("0.1").
	Version string
	// UserAgent is the name that peers see; empty: UserAgent of the version.
	UserAgent string

	// User and Password are rpcuser and rpcpassword, both or neither. Where
	// they are empty and CookiePath is not, a fresh cookie is written there.
	User, Password string
	CookiePath     string
	// Auth are rpcauth lines (USER:SALT$HASH), Whitelist rpcwhitelist lines
	// (USER:METHOD,METHOD), AllowIPs rpcallowip networks.
	Auth, Whitelist, AllowIPs []string
	// WhitelistDefault says whether users without a whitelist may call
	// nothing; nil: where there is a whitelist.
	WhitelistDefault *bool
	// Hosts are names, beside localhost and addresses, that may stand in the
	// Host header.
	Hosts []string

	// Stop is what the stop method calls, once the answer is on its way. It
	// must not wait for the door.
	Stop func()
	// LogPath is what getrpcinfo tells.
	LogPath string
	Log     *slog.Logger // nil discards

	// IdleSeconds bounds a silent client (rpcservertimeout), 30 where zero;
	// Queue the calls at work at one time (rpcworkqueue), 64 where zero;
	// Connections the open ones, 256 where zero.
	IdleSeconds, Queue, Connections int
}

// Server is the door. It is an http.Handler and a follower of the chain, and
// it is safe for concurrent use.
type Server struct {
	opts        Options
	credentials *credentials
	cookie      string
	allowed     []netip.Prefix
	table       map[string]*Method
	started     time.Time

	services atomic.Pointer[Services]
	rest     http.Handler // of /rest/; nil where it is off
	warmup   atomic.Pointer[string]
	notSync  atomic.Bool // initial block download is over, and stays so
	tip      tipWatch
	running  running
	proofs   proofCache
	txSum    txSum
	scan     scan
	work     workCache

	// busy is held for reading by every call that uses the services, so that
	// Close can wait for the last of them.
	busy       sync.RWMutex
	slots      chan struct{}
	wrong      chan struct{}
	wrongDelay time.Duration

	http   *http.Server
	ctx    context.Context // ended by Close; every call's context ends with it
	cancel context.CancelFunc
	once   sync.Once
}

// now is the node's time, which setmocktime stops.
func (s *Server) now() time.Time {
	if services := s.services.Load(); services != nil && services.Clock != nil {
		return services.Clock.Now()
	}
	return time.Now()
}

// New checks the options, writes the cookie file and makes a door that
// answers every call with the warm-up error until Ready.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.IdleSeconds = orDefault(o.IdleSeconds, 30)
	o.Queue = orDefault(o.Queue, 64)
	o.Connections = orDefault(o.Connections, 256)
	allowed, err := parseAllowIPs(o.AllowIPs)
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: o, allowed: allowed, table: methodTable(), started: time.Now(),
		slots: make(chan struct{}, o.Queue), wrong: make(chan struct{}, wrongSlots), wrongDelay: wrongDelay,
	}
	if s.credentials, err = newCredentials(&o, ""); err != nil {
		return nil, err
	}
	if o.CookiePath != "" && o.Password == "" {
		if s.cookie, err = writeCookie(o.CookiePath); err != nil {
			return nil, err
		}
		if s.credentials, err = newCredentials(&o, s.cookie); err != nil {
			return nil, err
		}
	}
	s.SetWarmup("Starting")
	s.tip.init()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = s.newHTTPServer()
	return s, nil
}

func orDefault(n, fallback int) int {
	if n <= 0 {
		return fallback
	}
	return n
}

func (s *Server) newHTTPServer() *http.Server {
	idle := time.Duration(s.opts.IdleSeconds) * time.Second
	return &http.Server{
		Handler: s, ReadHeaderTimeout: idle, IdleTimeout: idle, MaxHeaderBytes: 8 << 10,
		BaseContext: func(net.Listener) context.Context { return s.ctx },
		ErrorLog:    slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	}
}

// SetWarmup says what the node is busy with before Ready; it is the text of
// the warm-up error.
func (s *Server) SetWarmup(doing string) { s.warmup.Store(&doing) }

// Ready hands over the services; from here on calls are answered.
func (s *Server) Ready(services Services) { s.services.Store(&services) }

// MountREST answers requests below /rest/ with h, without a password but for
// the same addresses; it is called before Serve.
func (s *Server) MountREST(h http.Handler) { s.rest = h }

// Serve answers on a listener until Close; several may be served at once. It
// closes the listener.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(newLimitListener(l, s.opts.Connections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends the calls that wait or mine, lets answers out until ctx ends, closes
// all connections and removes the cookie file. A call that cannot be ended,
// such as gettxoutsetinfo, is waited for beyond ctx: once Close has returned
// nothing here touches the services. It may be called twice.
func (s *Server) Close(ctx context.Context) error {
	var err error
	s.once.Do(func() {
		s.tip.close()
		s.cancel()
		if s.http.Shutdown(ctx) != nil {
			err = s.http.Close()
		}
		s.busy.Lock()
		s.SetWarmup("Stopping")
		s.services.Store(nil)
		s.busy.Unlock()
		if s.cookie != "" {
			err = errors.Join(err, removeCookie(s.opts.CookiePath, s.cookie))
		}
	})
	return err
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	public := s.rest != nil && strings.HasPrefix(r.URL.Path, "/rest/")
	if public && s.foreign(w, r) || !public && s.guarded(w, r) {
		return
	}
	user, ok := "", true
	if !public {
		if user, ok = s.authorised(w, r); !ok {
			return
		}
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		http.Error(w, "Work queue depth exceeded", http.StatusServiceUnavailable)
		return
	}
	body, ok := s.readBody(w, r)
	switch {
	case !ok:
	case public:
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.rest.ServeHTTP(w, r)
	default:
		s.answer(r.Context(), w, user, body)
	}
}

// Call runs a method for another door of this process, as the node itself.
func (s *Server) Call(ctx context.Context, method string, args ...Value) (json.RawMessage, *Error) {
	return s.execute(ctx, "", &request{method: method, params: Value{kind: Array, items: args}})
}

// readBody takes the body in, bounded in bytes; the client may be slow but
// must not fall silent.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	control := http.NewResponseController(w)
	limited := http.MaxBytesReader(w, r.Body, params.MaxRPCBodyBytes)
	body, err := io.ReadAll(&progressReader{
		r: limited, control: control, silence: time.Duration(s.opts.IdleSeconds) * time.Second,
		end: time.Now().Add(maxBodyTime),
	})
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "request is larger than "+itoa(params.MaxRPCBodyBytes)+" bytes", http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, "request body did not arrive", http.StatusBadRequest)
	default:
		control.SetReadDeadline(time.Time{}) //nolint:errcheck // a recorder in tests has no deadline
		return body, true
	}
	return nil, false
}

// maxBodyTime is the longest a body may take however steadily it trickles.
const maxBodyTime = 10 * time.Minute

// progressReader moves the read deadline on with every read.
type progressReader struct {
	r       io.Reader
	control *http.ResponseController
	silence time.Duration
	end     time.Time
}

func (p *progressReader) Read(b []byte) (int, error) {
	deadline := time.Now().Add(p.silence)
	if deadline.After(p.end) {
		deadline = p.end
	}
	p.control.SetReadDeadline(deadline) //nolint:errcheck // a recorder in tests has no deadline
	return p.r.Read(b)
}

// reply writes an answer in pieces, each of which the client must take within
// the idle time.
func (s *Server) reply(w http.ResponseWriter, status int, body []byte) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", itoa(len(body)+1))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	body = append(body, '\n')
	const piece = 256 << 10
	for len(body) > 0 {
		n := min(piece, len(body))
		control.SetWriteDeadline(time.Now().Add(time.Duration(s.opts.IdleSeconds) * time.Second)) //nolint:errcheck // as above
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		body = body[n:]
	}
}
