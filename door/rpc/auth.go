package rpc

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// credentials are all the ways into the door. Read-only after newCredentials.
type credentials struct {
	plain  []plainUser  // cookie, or rpcuser and rpcpassword
	salted []saltedUser // rpcauth
	// allowed are the methods of each user of a whitelist; nil where there
	// is no whitelist at all.
	allowed map[string][]string
	closed  bool // to users without a whitelist
}

type plainUser struct{ sum [sha256.Size]byte } // of "user:password"

type saltedUser struct {
	user, salt string
	sum        []byte // HMAC-SHA256 of the password under the salt
}

func newCredentials(o *Options, cookie string) (*credentials, error) {
	c := &credentials{}
	if (o.User == "") != (o.Password == "") {
		return nil, errors.New("rpcuser and rpcpassword go together: give both or neither")
	}
	if o.Password != "" {
		c.plain = append(c.plain, plainUser{sha256.Sum256([]byte(o.User + ":" + o.Password))})
	}
	if cookie != "" {
		c.plain = append(c.plain, plainUser{sha256.Sum256([]byte(cookie))})
	}
	for _, line := range o.Auth {
		user, err := parseRPCAuth(line)
		if err != nil {
			return nil, err
		}
		c.salted = append(c.salted, user)
	}
	c.closed = len(o.Whitelist) > 0
	if o.WhitelistDefault != nil {
		c.closed = *o.WhitelistDefault
	}
	return c, c.addWhitelists(o.Whitelist)
}

// parseRPCAuth reads "user:salt$hash", the form of Bitcoin Core's rpcauth.
func parseRPCAuth(line string) (saltedUser, error) {
	user, rest, ok := strings.Cut(line, ":")
	salt, sumHex, ok2 := strings.Cut(rest, "$")
	sum, err := hex.DecodeString(sumHex)
	if !ok || !ok2 || user == "" || salt == "" || err != nil || len(sum) != sha256.Size {
		return saltedUser{}, errors.New("rpcauth must read USER:SALT$HASH, with the HMAC-SHA256 of the password under the salt in hex")
	}
	return saltedUser{user: user, salt: salt, sum: sum}, nil
}

// addWhitelists reads "user:method,method" lines. As in Bitcoin Core several
// lines for one user intersect.
func (c *credentials) addWhitelists(lines []string) error {
	for _, line := range lines {
		user, list, _ := strings.Cut(line, ":")
		if user == "" {
			return fmt.Errorf("rpcwhitelist %q must read USER:METHOD,METHOD", clip(line))
		}
		methods := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
		if c.allowed == nil {
			c.allowed = make(map[string][]string)
		}
		if before, ok := c.allowed[user]; ok {
			methods = slices.DeleteFunc(methods, func(m string) bool { return !slices.Contains(before, m) })
		}
		c.allowed[user] = methods
	}
	return nil
}

// mayCall reports whether the whitelists leave the method to the user.
func (c *credentials) mayCall(user, method string) bool {
	methods, listed := c.allowed[user]
	if !listed {
		return !c.closed
	}
	return slices.Contains(methods, method)
}

// check verifies an Authorization header. Every credential is compared in
// constant time and none is skipped, so that the time tells nothing.
func (c *credentials) check(header string) (user string, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", false
	}
	user, password, hasPassword := strings.Cut(string(raw), ":")
	if !hasPassword {
		return "", false
	}
	good, given := 0, sha256.Sum256(raw)
	for i := range c.plain {
		good |= subtle.ConstantTimeCompare(c.plain[i].sum[:], given[:])
	}
	for i := range c.salted {
		entry := &c.salted[i]
		mac := hmac.New(sha256.New, []byte(entry.salt))
		mac.Write([]byte(password))
		name, sum := sha256.Sum256([]byte(entry.user)), sha256.Sum256([]byte(user))
		good |= subtle.ConstantTimeCompare(mac.Sum(nil), entry.sum) & subtle.ConstantTimeCompare(name[:], sum[:])
	}
	return user, good == 1
}

// A wrong password waits for one of a few slots and then holds it for a
// while: however many connections guess, together they make no more than
// wrongSlots/wrongDelay guesses a second, while a right one never waits.
const (
	wrongSlots = 4
	wrongDelay = 250 * time.Millisecond
)

// punish delays the answer to a wrong password.
func (s *Server) punish(r *http.Request) {
	select {
	case s.wrong <- struct{}{}:
		defer func() { <-s.wrong }()
	case <-r.Context().Done():
		return
	}
	timer := time.NewTimer(s.wrongDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// authorised answers 401 itself where the request may not come in.
func (s *Server) authorised(w http.ResponseWriter, r *http.Request) (user string, ok bool) {
	header := r.Header.Get("Authorization")
	if header != "" {
		if user, ok = s.credentials.check(header); ok {
			return user, true
		}
		s.punish(r)
		s.opts.Log.Warn("JSON-RPC: wrong user or password", "from", r.RemoteAddr)
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="jsonrpc"`)
	w.WriteHeader(http.StatusUnauthorized)
	return "", false
}
