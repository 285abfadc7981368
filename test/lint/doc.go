// Package lint holds the house's rules about itself, as tests: who may import
// whom, that every package tells its stretch of the way, that documentation
// links lead somewhere and that nothing in the tree speaks of the machine it
// was made on.
package lint
