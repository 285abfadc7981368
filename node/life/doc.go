// Package life plays the people of a chain with a charter, block by block and
// with seeded variety: goods come in and are recounted, sometimes late, coins
// are paid, redeemed and delivered for; now and then a holder forgets, goods
// are missing, a custodian does not deliver, pays late or never, a par changes
// or a seat gets another holder. `granary up` runs it so that there is
// something to see, and tests run it to have histories in which every record
// occurs.
//
// It knows only the state of the chain: after a restart it goes on from what
// is there. Chances come from the seed, so the same chain and seed give the
// same life.
package life
