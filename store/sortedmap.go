package store

import (
	"bytes"
	"hash/maphash"
)

// sortedMap is the goods changes that wait for a commit: a skip list from key
// to value, nil for a deleted one. Readers may run beside each other, not
// beside Set. The zero value is empty.
type sortedMap struct {
	head  [sortedLevels]*sortedNode
	seed  maphash.Seed
	count int
	// memoryBytes are keys, values and nodes.
	memoryBytes int64
}

const (
	sortedLevels    = 12
	sortedNodeBytes = 100
)

type sortedNode struct {
	key, value []byte
	next       []*sortedNode
}

// seek gives the first node with a key >= key and, per level, the link that
// leads to it or past it.
func (m *sortedMap) seek(key []byte, links *[sortedLevels]*[]*sortedNode) *sortedNode {
	head := m.head[:]
	link := &head
	for level := sortedLevels - 1; level >= 0; level-- {
		for next := (*link)[level]; next != nil && bytes.Compare(next.key, key) < 0; next = (*link)[level] {
			link = &next.next
		}
		if links != nil {
			links[level] = link
		}
	}
	return (*link)[0]
}

// Get gives the value under key; known is false where nothing was set.
func (m *sortedMap) Get(key []byte) (value []byte, known bool) {
	if n := m.seek(key, nil); n != nil && bytes.Equal(n.key, key) {
		return n.value, true
	}
	return nil, false
}

// Set puts value under key, both copied; nil marks it deleted.
func (m *sortedMap) Set(key, value []byte) {
	var links [sortedLevels]*[]*sortedNode
	n := m.seek(key, &links)
	if n == nil || !bytes.Equal(n.key, key) {
		n = &sortedNode{key: bytes.Clone(key), next: make([]*sortedNode, m.levels(key))}
		for level := range n.next {
			n.next[level] = (*links[level])[level]
			(*links[level])[level] = n
		}
		m.count++
		m.memoryBytes += sortedNodeBytes + int64(len(key))
	}
	m.memoryBytes += int64(len(value)) - int64(len(n.value))
	n.value = nil
	if value != nil {
		n.value = append(make([]byte, 0, len(value)), value...)
	}
}

// levels draws a node's height from its key's hash: each level has a quarter
// of the one below.
func (m *sortedMap) levels(key []byte) int {
	if m.seed == (maphash.Seed{}) {
		m.seed = maphash.MakeSeed()
	}
	levels := 1
	for h := maphash.Bytes(m.seed, key); h&3 == 0 && levels < sortedLevels; h >>= 2 {
		levels++
	}
	return levels
}

// From gives the first node with a key >= key, nil at the end.
func (m *sortedMap) From(key []byte) *sortedNode { return m.seek(key, nil) }

// Next is the node behind n.
func (n *sortedNode) Next() *sortedNode { return n.next[0] }

// Clear forgets everything.
func (m *sortedMap) Clear() { *m = sortedMap{seed: m.seed} }
