package goods_test

import (
	"strings"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/datadriven"

	"granary/rules/goods"
)

// The words of the vectors that the files beside this one add, each in an
// init of its own: a family of records brings its commands, records ("record
// WORD ..."), inputs ("in WORD ..."), lines of events and lines of the state.
var (
	vectorCommands = map[string]func(w *world, d *datadriven.TestData) string{}
	vectorRecords  = map[string]func(w *world, words []string) goods.Record{}
	vectorInputs   = map[string]func(w *world, words []string) *wire.OutPoint{}
	vectorEvents   []func(b *strings.Builder, e goods.Event)
	vectorStates   []func(w *world, b *strings.Builder)
)
