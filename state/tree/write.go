package tree

import "bytes"

// store writes the pages that are not as they were, removes those that are no
// more, and sets the reference to the topmost node.
func (u *updater) store(top *node) {
	for _, p := range u.pages {
		if p.alive == 0 {
			u.set(p.key, nil) // a new page may take its place below
		}
	}
	if top == nil {
		u.set(rootKey(), nil)
		return
	}
	u.set(rootKey(), u.appendEntry(nil, top, 0))
	for len(u.unwritten) > 0 && u.err == nil {
		last := len(u.unwritten) - 1
		page := u.unwritten[last]
		u.unwritten = u.unwritten[:last]
		u.value = u.appendPage(u.value[:0], page, windowOf(page.bit))
		u.set(pageKey(page.bit, page.key), bytes.Clone(u.value))
	}
}

// set writes a stored key unless an error came before.
func (u *updater) set(key, value []byte) {
	if u.err == nil {
		u.err = u.rw.SetGoods(key, value)
	}
}

// appendPage writes the nodes from n on that lie in its page.
func (u *updater) appendPage(b []byte, n *node, window uint16) []byte {
	if n.form == formLeaf || windowOf(n.bit) != window {
		return u.appendEntry(b, n, skipOf(window))
	}
	if n.form == formPacked {
		return append(b, n.packed...)
	}
	left, right := u.children(n, nil) // a new node may have got above the page
	if u.err != nil {
		return nil
	}
	b = append(b, byte(n.bit-window*windowBits))
	return u.appendPage(u.appendPage(b, left, window), right, window)
}

// appendEntry refers to a leaf or to another page, which is to be written too
// if it is not as it was.
func (u *updater) appendEntry(b []byte, n *node, skip int) []byte {
	if n.form == formLeaf {
		return appendLeaf(b, &n.hash, n.key, skip)
	}
	// What came up where a node of its page was removed did not itself change.
	if n.changed || n.from != nil && n.from.lost {
		u.unwritten = append(u.unwritten, n)
	}
	return appendStub(b, &n.hash, n.bit, n.key, skip)
}
