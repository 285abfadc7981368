package tour

import (
	"errors"
	"strings"
	"testing"
)

// The tour comes to its end, and tells what it promises to tell.
func TestTour(t *testing.T) {
	var out strings.Builder
	if err := Run(t.Context(), t.TempDir(), &out); err != nil {
		t.Fatalf("%v after\n%s", err, out.String())
	}
	text := out.String()
	unfolded := strings.Join(strings.Fields(text), " ")
	for _, want := range []string{
		"goods-treasury-spend", "goods-draw-quantity", "goods-lot", "goods-quorum", "by itself: ",
		"[proved]", "[attested]", "[claimed]", "in default, for good", "every coin that was ever mined",
	} {
		if !strings.Contains(unfolded, want) {
			t.Errorf("the tour does not say %q", want)
		}
	}
	for i, line := range strings.Split(text, "\n") {
		if n := len([]rune(line)); n > lineWidth {
			t.Errorf("line %d has %d characters", i+1, n)
		}
	}
	t.Log("\n" + text)
}

type brokenPipe struct{}

var errPipe = errors.New("the reader is gone")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

// Who reads the tour may go away: that is an error, not silence.
func TestTourWithoutReader(t *testing.T) {
	if err := Run(t.Context(), t.TempDir(), brokenPipe{}); !errors.Is(err, errPipe) {
		t.Fatalf("a reader that is gone gives %v", err)
	}
}
