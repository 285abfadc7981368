package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"granary/config"
)

// logFile is a file that can be opened anew under the same name, so that log
// rotation works as with Bitcoin Core: move it away, send SIGHUP.
type logFile struct {
	path string
	mu   sync.Mutex
	file *os.File
}

func openLogFile(path string) (*logFile, error) {
	f := &logFile{path: path}
	return f, f.reopen()
}

func (f *logFile) reopen() error {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the log: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.file
	f.file = file
	if old != nil {
		return old.Close()
	}
	return nil
}

// Write implements io.Writer. A full disk must not stop the node by way of
// its log, so that a failed write is forgotten.
func (f *logFile) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		_, _ = f.file.Write(line)
	}
	return len(line), nil
}

func (f *logFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file = nil
	return file.Close()
}

// newLog makes the node's log: to standard error, to the log file, or both.
// Its level can be changed while it runs.
func newLog(c *config.Config, console io.Writer, level *slog.LevelVar) (*slog.Logger, *logFile, error) {
	var writers []io.Writer
	if c.PrintToConsole {
		writers = append(writers, console)
	}
	var file *logFile
	if c.DebugLogFile != "" {
		var err error
		if file, err = openLogFile(c.DebugLogFile); err != nil {
			return nil, nil, err
		}
		writers = append(writers, file)
	}
	level.Set(logLevel(c.LogLevel))
	handler := slog.NewTextHandler(io.MultiWriter(writers...), &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
			}
			return a
		},
	})
	return slog.New(handler), file, nil
}

func logLevel(name string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo // config lets no other word through
	}
	return level
}

// Lines of one message that a stranger can cause, in a stretch of time.
const (
	limitLines  = 20
	limitWindow = time.Minute
)

// limited is a slog.Handler for what a peer or a client can cause: of each
// message it lets limitLines through in limitWindow and tells afterwards how
// many it dropped.
type limited struct {
	slog.Handler
	shared *limits
}

type limits struct {
	mu    sync.Mutex
	since time.Time
	seen  map[string]int
}

// rateLimited gives a log whose lines are bounded.
func rateLimited(log *slog.Logger) *slog.Logger {
	return slog.New(&limited{log.Handler(), &limits{seen: make(map[string]int)}})
}

// Handle implements slog.Handler.
func (l *limited) Handle(ctx context.Context, record slog.Record) error {
	dropped, pass := l.shared.count(record.Message, record.Time)
	var err error
	if dropped > 0 {
		note := slog.NewRecord(record.Time, slog.LevelInfo, "repeated log lines were left out", 0)
		note.AddAttrs(slog.Int("lines", dropped))
		err = l.Handler.Handle(ctx, note)
	}
	if !pass {
		return err
	}
	return errors.Join(err, l.Handler.Handle(ctx, record))
}

// count notes a message; dropped is what the window that just ended left out.
func (l *limits) count(message string, now time.Time) (dropped int, pass bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= limitWindow {
		for _, n := range l.seen {
			dropped += max(0, n-limitLines)
		}
		clear(l.seen)
		l.since = now
	}
	l.seen[message]++
	return dropped, l.seen[message] <= limitLines
}

// WithAttrs implements slog.Handler.
func (l *limited) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limited{l.Handler.WithAttrs(attrs), l.shared}
}

// WithGroup implements slog.Handler.
func (l *limited) WithGroup(name string) slog.Handler {
	return &limited{l.Handler.WithGroup(name), l.shared}
}
