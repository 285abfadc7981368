// Package state holds the nouns that travel: Block and Tx (decoded once, ids
// computed once), Header (a node of the header tree), Coin and the typed
// goods values; and the four forms a change takes on its way: a View is read,
// an Overlay collects, a Delta goes forward into the store, an Undo goes back.
//
// rules turn (View, Block) into (Delta, Undo); store makes both durable.
package state
