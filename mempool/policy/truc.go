package policy

// Relative is what TRUC asks of an unconfirmed ancestor.
type Relative struct {
	Version int32
	// Descendants counts the ancestor itself.
	Descendants int
}

// CheckTRUC holds BIP431's topology for a transaction and all its unconfirmed
// ancestors: versions do not mix, and a version 3 transaction is small, has at
// most one ancestor and, where it has one, is that ancestor's only child
// ("TRUC-violation").
func CheckTRUC(version int32, vbytes int64, ancestors []Relative) error {
	const code = "TRUC-violation"
	for _, a := range ancestors {
		if (version == TRUCVersion) != (a.Version == TRUCVersion) {
			return refuse(code, "version=%d tx cannot spend from an unconfirmed version=%d tx", version, a.Version)
		}
	}
	if version != TRUCVersion {
		return nil
	}
	switch {
	case vbytes > MaxTRUCVBytes:
		return refuse(code, "version=3 tx is too big: %d > %d virtual bytes", vbytes, MaxTRUCVBytes)
	case len(ancestors)+1 > MaxTRUCCluster:
		return refuse(code, "version=3 tx would have too many ancestors")
	case len(ancestors) > 0 && vbytes > MaxTRUCChildVBytes:
		return refuse(code, "version=3 child tx is too big: %d > %d virtual bytes", vbytes, MaxTRUCChildVBytes)
	case len(ancestors) > 0 && ancestors[0].Descendants+1 > MaxTRUCCluster:
		return refuse(code, "version=3 parent already has an unconfirmed child")
	}
	return nil
}
