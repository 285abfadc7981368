package web

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
)

// money shows amounts in the charter's coin.
type money struct {
	ticker   string
	decimals int
}

// thinSpace groups the digits of large numbers.
const thinSpace = "\u202f"

// amount gives units as a grouped decimal number without the ticker. Zeros at
// the end of the fraction are left away, but for the first two places.
func (m money) amount(units int64) string {
	sign := ""
	magnitude := uint64(units)
	if units < 0 {
		sign, magnitude = "\u2212", -magnitude
	}
	digits := strconv.FormatUint(magnitude, 10)
	if m.decimals == 0 {
		return sign + group(digits)
	}
	if len(digits) <= m.decimals {
		digits = strings.Repeat("0", m.decimals-len(digits)+1) + digits
	}
	whole, fraction := digits[:len(digits)-m.decimals], digits[len(digits)-m.decimals:]
	least := min(2, m.decimals)
	for len(fraction) > least && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	return sign + group(whole) + "." + fraction
}

// text is amount with the ticker, for sentences.
func (m money) text(units int64) string { return m.amount(units) + "\u00a0" + m.ticker }

// html gives units with a quiet fraction and the ticker. Every part is
// escaped.
func (m money) html(units int64) template.HTML {
	whole, fraction, has := strings.Cut(m.amount(units), ".")
	if has {
		fraction = `<span class="fraction">.` + fraction + `</span>`
	}
	return template.HTML(`<span class="num">` + whole + fraction + `</span> <span class="unit">` +
		template.HTMLEscapeString(m.ticker) + `</span>`) //nolint:gosec // digits and an escaped ticker
}

// count groups a whole number.
func count[N ~int | ~int32 | ~int64 | ~uint32 | ~uint64](n N) string {
	text := strconv.FormatInt(int64(n), 10)
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		return "\u2212" + group(rest)
	}
	return group(text)
}

func group(digits string) string {
	if len(digits) < 5 {
		return digits
	}
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(thinSpace)
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// bytesText shows a size.
func bytesText(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%d.%d kB", n/1000, n%1000/100)
	}
	return fmt.Sprintf("%d.%d MB", n/1_000_000, n%1_000_000/100_000)
}

// span shows a stretch of time in its two largest units.
func span(seconds int64) string {
	if seconds < 0 {
		return "\u2212" + span(-seconds)
	}
	units := []struct {
		size int64
		name string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}
	for i, unit := range units {
		if seconds < unit.size && unit.size > 1 {
			continue
		}
		text := fmt.Sprintf("%d %s", seconds/unit.size, unit.name)
		if i+1 < len(units) && seconds%unit.size/units[i+1].size > 0 && seconds/unit.size < 10 {
			text += fmt.Sprintf(" %d %s", seconds%unit.size/units[i+1].size, units[i+1].name)
		}
		return text
	}
	return "0 s"
}

// ago shows how long ago t was, as of now. Clocks of miners differ a little:
// what is ahead by less than two minutes happened now.
func ago(now, t time.Time) string {
	seconds := int64(now.Sub(t) / time.Second)
	if seconds <= 0 && seconds > -120 {
		return "just now"
	}
	if seconds < 0 {
		return "in " + span(-seconds)
	}
	return span(seconds) + " ago"
}

// percentBP shows basis points.
func percentBP(basisPoints int64) string {
	text := fmt.Sprintf("%d.%02d", basisPoints/100, basisPoints%100)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + thinSpace + "%"
}

// short keeps both ends of a long hash.
func short(text string) string {
	if len(text) <= 20 {
		return text
	}
	return text[:8] + "\u2026" + text[len(text)-8:]
}

// plural gives "1 block", "2 blocks".
func plural[N ~int | ~int32 | ~int64 | ~uint64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + one + "s"
}
