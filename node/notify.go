package node

import (
	"net"
	"os"
	"strings"
)

// notifySystemd tells the service manager how the node stands ("READY=1",
// "STOPPING=1", "STATUS=..."), where it listens (Type=notify). It is best
// effort: without a service manager nothing happens.
func notifySystemd(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if rest, abstract := strings.CutPrefix(path, "@"); abstract {
		path = "\x00" + rest
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte(state))
	_ = conn.Close()
}
