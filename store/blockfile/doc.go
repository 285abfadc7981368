// Package blockfile reads and writes the files that blocks and undo lie in:
// Bitcoin Core's blkNNNNN.dat and revNNNNN.dat. A record is the network's
// four magic bytes, a little-endian length and that many bytes; zeros and
// garbage may stand between records. Files of Core since version 28 are
// obscured with the eight bytes of an xor.dat beside them.
//
// Folder writes records at places that its owner chooses and syncs what was
// touched; Scan finds the records of any such file, ours or another's.
package blockfile
