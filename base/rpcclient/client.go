package rpcclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// CodeInWarmup is the code of a node that is still starting.
const CodeInWarmup = -28

// MaxReplyBytes bounds an answer.
const MaxReplyBytes = 512 << 20

// Error is what the node answered instead of a result.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error gives the node's own words with its code.
func (e *Error) Error() string { return fmt.Sprintf("error %d: %s", e.Code, e.Message) }

// CodeOf gives the node's code inside err, 0 if it is not the node's answer.
func CodeOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// Options say where the node is and how it knows us.
type Options struct {
	// URL is the door: "http://127.0.0.1:8332". Without a scheme, http.
	URL string
	// User and Password go together; without them CookiePath is read anew
	// before each call, so that a restarted node is found again.
	User, Password string
	CookiePath     string
	// Timeout bounds one call; zero is 15 minutes (as bitcoin-cli), negative
	// is for ever.
	Timeout time.Duration
	// WarmupWait is how long a call waits for a node that cannot be reached
	// yet or is still starting; zero does not wait.
	WarmupWait time.Duration
}

// Client makes calls. It is safe for concurrent use.
type Client struct {
	o    Options
	url  string
	http *http.Client
	next atomic.Int64
}

// New checks the options; it does not call yet.
func New(o Options) (*Client, error) {
	if !strings.Contains(o.URL, "://") {
		o.URL = "http://" + o.URL
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not the address of a node: use for example http://127.0.0.1:8332", o.URL)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		o.User, o.Password, u.User = u.User.Username(), password, nil
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Minute
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: 20 * time.Second}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect would carry the password elsewhere
	}}
	return &Client{o: o, url: u.String(), http: client}, nil
}

// Close lets idle connections go; calls under way end as they would.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call runs a method and decodes its result into result, which may be nil or
// a *json.RawMessage. params is anything that encodes to a JSON array or
// object; nil is no parameters. An answer of the node that is an error is an
// *Error.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	call := Request{Method: method, Params: params, Result: result}
	body, err := c.encode(&call)
	if err != nil {
		return err
	}
	return c.patiently(ctx, func(ctx context.Context) error {
		raw, err := c.post(ctx, body)
		if err != nil {
			return err
		}
		var reply reply
		if err := json.Unmarshal(raw, &reply); err != nil {
			return fmt.Errorf("%s gave no JSON-RPC answer: is it a node's RPC port?", c.url)
		}
		return reply.into(result)
	})
}

// Request is one call of a batch.
type Request struct {
	Method string
	Params any   // as in Call
	Result any   // as in Call
	Err    error // set by Batch: the answer to this call if it was an error
	id     int64
}

// Batch sends calls together and fills in each one's Result or Err. The error
// it returns itself means that no call was answered.
func (c *Client) Batch(ctx context.Context, calls []*Request) error {
	if len(calls) == 0 {
		return nil
	}
	parts := make([]json.RawMessage, len(calls))
	for i, call := range calls {
		part, err := c.encode(call)
		if err != nil {
			return err
		}
		parts[i] = part
	}
	body, err := json.Marshal(parts)
	if err != nil {
		return err
	}
	return c.patiently(ctx, func(ctx context.Context) error {
		raw, err := c.post(ctx, body)
		if err != nil {
			return err
		}
		return c.deal(raw, calls)
	})
}

// deal hands the answers of a batch to its calls, by id.
func (c *Client) deal(raw []byte, calls []*Request) error {
	var replies []reply
	if err := json.Unmarshal(raw, &replies); err != nil {
		var one reply // the batch as a whole was refused
		if json.Unmarshal(raw, &one) == nil && one.Error != nil {
			return one.Error
		}
		return fmt.Errorf("%s gave no JSON-RPC answer: is it a node's RPC port?", c.url)
	}
	byID := make(map[int64]*reply, len(replies))
	for i := range replies {
		byID[replies[i].ID] = &replies[i]
	}
	var warmup error
	for _, call := range calls {
		answer := byID[call.id]
		if answer == nil {
			call.Err = fmt.Errorf("%s: the node gave no answer to this call", call.Method)
			continue
		}
		if call.Err = answer.into(call.Result); CodeOf(call.Err) == CodeInWarmup {
			warmup = call.Err
		}
	}
	return warmup
}

func (c *Client) encode(call *Request) ([]byte, error) {
	call.id = c.next.Add(1)
	params := call.Params
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(struct {
		Version string `json:"jsonrpc"`
		ID      int64  `json:"id"`
		Method  string `json:"method"`
		Params  any    `json:"params"`
	}{"2.0", call.id, call.Method, params})
	if err != nil {
		return nil, fmt.Errorf("%s: parameters cannot be encoded: %w", call.Method, err)
	}
	return body, nil
}

type reply struct {
	Result json.RawMessage `json:"result"`
	Error  *Error          `json:"error"`
	ID     int64           `json:"id"`
}

func (r *reply) into(result any) error {
	if r.Error != nil {
		return r.Error
	}
	switch target := result.(type) {
	case nil:
		return nil
	case *json.RawMessage:
		*target = r.Result
		return nil
	}
	if err := json.Unmarshal(r.Result, result); err != nil {
		return fmt.Errorf("the node's answer has another form than expected: %w", err)
	}
	return nil
}

// patiently repeats a call while the node is starting, for WarmupWait at most.
func (c *Client) patiently(ctx context.Context, call func(context.Context) error) error {
	deadline := time.Now().Add(c.o.WarmupWait)
	for {
		err := c.bounded(ctx, call)
		starting := CodeOf(err) == CodeInWarmup || errors.Is(err, errUnreachable)
		if !starting || !time.Now().Before(deadline) {
			return err
		}
		timer := time.NewTimer(250 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

func (c *Client) bounded(ctx context.Context, call func(context.Context) error) error {
	if c.o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.o.Timeout)
		defer cancel()
	}
	return call(ctx)
}

// errUnreachable marks a node that does not listen yet.
var errUnreachable = errors.New("cannot connect")

func (c *Client) post(ctx context.Context, body []byte) ([]byte, error) {
	user, password, err := c.credentials()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(user, password)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end or given up
	raw, err := io.ReadAll(io.LimitReader(response.Body, MaxReplyBytes+1))
	switch {
	case err != nil:
		return nil, c.explain(ctx, err)
	case len(raw) > MaxReplyBytes:
		return nil, fmt.Errorf("the answer is larger than %d bytes: ask for less at a time", MaxReplyBytes)
	}
	return raw, c.judge(response, raw)
}

// judge turns statuses without a JSON-RPC answer into errors.
func (c *Client) judge(response *http.Response, raw []byte) error {
	text := strings.TrimSpace(string(raw[:min(len(raw), 200)]))
	switch {
	case response.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s refused the user or password: check rpcuser and rpcpassword, or the cookie file", c.url)
	case response.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s refused this caller: %s", c.url, text)
	case strings.HasPrefix(response.Header.Get("Content-Type"), "application/json"):
		return nil
	case response.StatusCode == http.StatusServiceUnavailable:
		return fmt.Errorf("%s is too busy: %s", c.url, text)
	}
	return fmt.Errorf("%s answered %s: %s", c.url, response.Status, text)
}

func (c *Client) explain(ctx context.Context, err error) error {
	var opError *net.OpError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not answer in time: %w", c.url, ctx.Err())
	case errors.As(err, &opError) && opError.Op == "dial":
		return fmt.Errorf("%w to %s (%v): is the node running?", errUnreachable, c.url, opError.Err)
	}
	var urlError *url.Error
	if errors.As(err, &urlError) {
		err = urlError.Err
	}
	return fmt.Errorf("the connection to %s broke: %w", c.url, err)
}

func (c *Client) credentials() (user, password string, err error) {
	if c.o.User != "" || c.o.Password != "" {
		return c.o.User, c.o.Password, nil
	}
	if c.o.CookiePath == "" {
		return "", "", errors.New("no way in: give a user and password, or the cookie file")
	}
	return ReadCookie(c.o.CookiePath)
}

// ReadCookie takes a cookie file apart. A missing file counts as a node that
// does not run.
func ReadCookie(path string) (user, password string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", "", fmt.Errorf("%w: there is no cookie file %s: is the node running?", errUnreachable, path)
	}
	if err != nil {
		return "", "", fmt.Errorf("cannot read the cookie file: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return "", "", fmt.Errorf("cannot read the cookie file %s: %w", path, err)
	}
	user, password, ok := strings.Cut(strings.TrimSpace(string(text)), ":")
	if !ok {
		return "", "", fmt.Errorf("%s is not a cookie file: restart the node to write it anew", path)
	}
	return user, password, nil
}
