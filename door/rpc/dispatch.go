package rpc

import (
	"context"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"granary/params"
)

// answer judges a body and writes the reply: one call, a batch, or an error.
func (s *Server) answer(ctx context.Context, w http.ResponseWriter, user string, body []byte) {
	v, err := ParseJSON(body)
	switch {
	case err != nil:
		s.reply(w, http.StatusInternalServerError, (&request{}).appendReply(nil, nil, errorf(CodeParse, "Parse error")))
	case v.kind == Object:
		s.answerOne(ctx, w, user, v)
	case v.kind == Array:
		s.answerBatch(ctx, w, user, v)
	default:
		s.reply(w, http.StatusInternalServerError,
			(&request{}).appendReply(nil, nil, errorf(CodeParse, "Top-level object parse error")))
	}
}

func (s *Server) answerOne(ctx context.Context, w http.ResponseWriter, user string, v Value) {
	var req request
	if failure := req.parse(v); failure != nil {
		s.reply(w, failure.status(), req.appendReply(nil, nil, failure))
		return
	}
	if !s.credentials.mayCall(user, req.method) {
		s.opts.Log.Warn("JSON-RPC: method is not on the user's whitelist", "user", clip(user), "method", clip(req.method))
		http.Error(w, "this user may not call this method", http.StatusForbidden)
		return
	}
	result, failure := s.execute(ctx, user, &req)
	status := http.StatusOK
	switch {
	case req.notification():
		s.reply(w, http.StatusNoContent, nil)
		return
	case failure != nil && !req.v2:
		status = failure.status()
	}
	s.reply(w, status, req.appendReply(nil, result, failure))
}

// status is the HTTP status of an error in the legacy form.
func (e *Error) status() int {
	switch e.Code {
	case CodeInvalidRequest:
		return http.StatusBadRequest
	case CodeMethodNotFound:
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// maxBatchReplyBytes bounds what the answers of one batch may take together;
// calls behind it are refused one by one.
const maxBatchReplyBytes = 256 << 20

func (s *Server) answerBatch(ctx context.Context, w http.ResponseWriter, user string, batch Value) {
	if batch.Len() > params.MaxRPCBatch {
		s.reply(w, http.StatusBadRequest, (&request{}).appendReply(nil, nil,
			errorf(CodeInvalidRequest, "a batch holds at most %d calls", params.MaxRPCBatch)))
		return
	}
	reqs := make([]request, batch.Len())
	failures := make([]*Error, batch.Len())
	for i := range reqs {
		failures[i] = reqs[i].parse(batch.items[i])
		if failures[i] == nil && !s.credentials.mayCall(user, reqs[i].method) {
			http.Error(w, "this user may not call one of these methods", http.StatusForbidden)
			return
		}
	}
	out, answers := []byte{'['}, 0
	for i := range reqs {
		var result []byte
		failure := failures[i]
		if failure == nil && len(out) > maxBatchReplyBytes {
			failure = errorf(CodeOutOfMemory, "the answers of this batch are too large: split it")
		}
		if failure == nil {
			result, failure = s.execute(ctx, user, &reqs[i])
		}
		if failures[i] == nil && reqs[i].notification() {
			continue
		}
		if answers > 0 {
			out = append(out, ',')
		}
		out = reqs[i].appendReply(out, result, failure)
		answers++
	}
	if answers == 0 && len(reqs) > 0 {
		s.reply(w, http.StatusNoContent, nil)
		return
	}
	s.reply(w, http.StatusOK, append(out, ']'))
}

// execute runs one call and encodes its result.
func (s *Server) execute(ctx context.Context, user string, req *request) (result []byte, failure *Error) {
	s.busy.RLock()
	defer s.busy.RUnlock()
	services := s.services.Load()
	if services == nil {
		return nil, errorf(CodeInWarmup, "%s", *s.warmup.Load())
	}
	method := s.table[req.method]
	if method == nil {
		if req.method == "generate" {
			return nil, errorf(CodeMethodNotFound, "generate\n\nhas been replaced by the -generate cli option. Refer to -help for more information.\n")
		}
		return nil, errorf(CodeMethodNotFound, "Method not found")
	}
	args, failure := method.bind(req.params)
	if failure != nil {
		return nil, failure
	}
	defer s.running.begin(method.Name)()
	defer func() {
		if broken := recover(); broken != nil {
			s.opts.Log.Error("JSON-RPC: a method broke", "method", method.Name, "why", broken, "stack", string(debug.Stack()))
			result, failure = nil, errorf(CodeInternal, "internal error in %s: see the log", method.Name)
		}
	}()
	answer, err := method.run(&call{Services: services, ctx: ctx, server: s, method: method, args: args, user: user})
	if err == nil {
		result, err = marshal(answer)
	}
	if err != nil {
		return nil, asError(err)
	}
	return result, nil
}

// running is the list of calls at work, for getrpcinfo.
type running struct {
	mu    sync.Mutex
	calls []*activeCall
}

type activeCall struct {
	method string
	since  time.Time
}

// begin enters a call into the list; the result takes it out.
func (r *running) begin(method string) func() {
	entry := &activeCall{method, time.Now()}
	r.mu.Lock()
	r.calls = append(r.calls, entry)
	r.mu.Unlock()
	return func() {
		r.mu.Lock()
		r.calls = slices.DeleteFunc(r.calls, func(c *activeCall) bool { return c == entry })
		r.mu.Unlock()
	}
}

func (r *running) list() []activeCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]activeCall, len(r.calls))
	for i, c := range r.calls {
		out[i] = *c
	}
	return out
}
