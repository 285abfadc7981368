// Package params holds what a chain is before its first block: the base
// network (Bitcoin's consensus numbers), the charter that a Granary chain
// adds to it, and every limit of the house in one file (limits.go).
//
// On the way of a block it is the law book that the rules read; nothing in it
// changes at run time.
package params
