//go:build invariants

package check

// InvariantsOn tells whether Invariant evaluates its argument.
const InvariantsOn = true

// Invariant runs a costly whole-state check and panics on its error. It is
// compiled in by the build tag "invariants" only.
func Invariant(f func() error) {
	if err := f(); err != nil {
		panic("granary: broken invariant: " + err.Error())
	}
}
