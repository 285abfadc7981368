package rpc

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/rules/goods"
	"granary/state"
)

// goodsJSON is the goods record that a transaction carries. Whether the chain
// would accept it is not said here: that needs the state.
type goodsJSON struct {
	N      int    `json:"n"`      // the output that holds it
	Record string `json:"record"` // the record's type, "invalid" where it cannot be read
	Body   string `json:"body,omitempty"`
	Error  string `json:"error,omitempty"`

	recordJSON
}

// recordJSON is what a record says, under the name of its type. Indices are
// the charter's, quantities are in the good's measure, amounts are coins,
// hashes that are not of blocks or transactions hex in the order of their
// bytes.
type recordJSON struct {
	Proposals []string     `json:"proposals,omitempty"` // attest
	Receive   *receiveJSON `json:"receive,omitempty"`
	Draw      *partJSON    `json:"draw,omitempty"`
	Reclaim   *partJSON    `json:"reclaim,omitempty"`
	Redeem    *partJSON    `json:"redeem,omitempty"`
	Tender    *claimsJSON  `json:"tender,omitempty"`
	Deliver   *claimsJSON  `json:"deliver,omitempty"`
	Lapse     *claimsJSON  `json:"lapse,omitempty"`
	Settle    *claimsJSON  `json:"settle,omitempty"`
	Assign    *claimsJSON  `json:"assign,omitempty"`
	Slash     *actJSON     `json:"slash,omitempty"`
	Audit     *auditJSON   `json:"audit,omitempty"`
	Suspend   *actJSON     `json:"suspend,omitempty"`
	Lift      *actJSON     `json:"lift,omitempty"`
	Bond      *actJSON     `json:"bond,omitempty"`
	Unbond    *actJSON     `json:"unbond,omitempty"`
	Amend     *amendJSON   `json:"amend,omitempty"`
	Reseat    *reseatJSON  `json:"reseat,omitempty"`
}

// receiveJSON is what a receive record says; numbers are the charter's.
type receiveJSON struct {
	Custodian      uint16        `json:"custodian"`
	Expiry         int32         `json:"expiry"` // the last height at which it is valid
	ObservedHeight int32         `json:"observed_height"`
	ObservedHash   string        `json:"observed_hash"`
	Receipts       []openingJSON `json:"receipts"`
}

type openingJSON struct {
	Good     uint16 `json:"good"`
	Registry uint16 `json:"registry"`
	Lot      string `json:"lot"`
	Quantity int64  `json:"quantity"` // measures
	Document string `json:"document"` // hex, in the order of its bytes
	Location string `json:"location"`
	Script   string `json:"script"` // hex
}

// partJSON is a part of a receipt.
type partJSON struct {
	Receipt  uint64 `json:"receipt"`
	ID       string `json:"id"`
	Quantity int64  `json:"quantity"`
}

// claimsJSON names claims; who acts and until when only where a custodian does.
type claimsJSON struct {
	Custodian *uint16        `json:"custodian,omitempty"`
	Expiry    *int32         `json:"expiry,omitempty"`
	Claims    []claimRefJSON `json:"claims"`
}

type claimRefJSON struct {
	Claim    uint64 `json:"claim"`
	ID       string `json:"id"`
	Document string `json:"document,omitempty"` // of an attested delivery
}

// actJSON is what somebody does about a custodian.
type actJSON struct {
	Step         string `json:"step,omitempty"` // unbond: announce, withdraw, cancel
	Seat         string `json:"seat,omitempty"` // who acts, of suspend and lift
	Expiry       *int32 `json:"expiry,omitempty"`
	Custodian    uint16 `json:"custodian"`
	SuspendedAt  *int32 `json:"suspended_at,omitempty"`  // lift: the suspension that it ends
	Units        amount `json:"amount,omitempty"`        // unbond: what is announced
	ReturnScript string `json:"return_script,omitempty"` // bond
}

type auditJSON struct {
	Auditor        uint16          `json:"auditor"`
	Expiry         int32           `json:"expiry"`
	ObservedHeight int32           `json:"observed_height"`
	ObservedHash   string          `json:"observed_hash"`
	Receipts       []recountedJSON `json:"receipts"`
}

type recountedJSON struct {
	Receipt uint64 `json:"receipt"`
	ID      string `json:"id"`
	Lost    int64  `json:"lost"` // what it had lost before
	Loss    int64  `json:"loss"`
}

// goodsOf decodes the record of a transaction, nil if it has none. A
// transaction with several shows the first; the rules refuse it.
func goodsOf(msg *wire.MsgTx) *goodsJSON {
	for i, out := range msg.TxOut {
		record, ok, err := goods.DecodeRecord(out.PkScript)
		switch {
		case !ok:
			continue
		case err != nil:
			return &goodsJSON{N: i, Record: "invalid", Error: string(check.CodeOf(err))}
		}
		shown := &goodsJSON{N: i, Record: record.Type().String(), Body: hexOf(record.Body())}
		shown.explain(record)
		return shown
	}
	return nil
}

// explain adds what the body says.
func (j *recordJSON) explain(record goods.Record) {
	switch r := record.(type) {
	case goods.Attest:
		for i := range r.Proposals {
			j.Proposals = append(j.Proposals, hexOf(r.Proposals[i][:]))
		}
	case goods.Receive:
		j.Receive = explainReceive(&r)
	case goods.Draw:
		j.Draw = &partJSON{r.Receipt, hexOf(r.ID[:]), r.Quantity}
	case goods.Reclaim:
		j.Reclaim = &partJSON{r.Receipt, hexOf(r.ID[:]), r.Quantity}
	case goods.Redeem:
		j.Redeem = &partJSON{r.Receipt, hexOf(r.ID[:]), r.Quantity}
	case goods.Tender:
		j.Tender = claimsOf(r.Claims...)
		j.Tender.Custodian, j.Tender.Expiry = &r.Custodian, &r.Expiry
	case goods.Deliver:
		j.Deliver = claimsOf(r.ClaimRef)
	case goods.DeliverAttested:
		j.Deliver = &claimsJSON{Custodian: &r.Custodian, Expiry: &r.Expiry}
		for i := range r.Deliveries {
			d := &r.Deliveries[i]
			j.Deliver.Claims = append(j.Deliver.Claims, claimRefJSON{d.Number, hexOf(d.ID[:]), hexOf(d.Document[:])})
		}
	case goods.Lapse:
		j.Lapse = claimsOf(r.ClaimRef)
	case goods.Settle:
		j.Settle = claimsOf(r.ClaimRef)
	case goods.Assign:
		j.Assign = claimsOf(r.ClaimRef)
	default:
		j.explainCustody(record)
	}
}

// explainCustody adds what records about custodians and changes say.
func (j *recordJSON) explainCustody(record goods.Record) {
	switch r := record.(type) {
	case goods.Slash:
		j.Slash = &actJSON{Custodian: r.Custodian}
	case goods.Audit:
		j.Audit = &auditJSON{
			Auditor: r.Auditor, Expiry: r.Expiry, ObservedHeight: r.Observed.Height, ObservedHash: r.Observed.Hash.String(),
		}
		for i := range r.Audited {
			seen := &r.Audited[i]
			j.Audit.Receipts = append(j.Audit.Receipts, recountedJSON{seen.Receipt, hexOf(seen.ID[:]), seen.Lost, seen.Loss})
		}
	case goods.Suspend:
		j.Suspend = &actJSON{Seat: seatName(r.Role, r.Index), Expiry: &r.Expiry, Custodian: r.Custodian}
	case goods.Lift:
		j.Lift = &actJSON{Seat: seatName(state.RoleAuditor, r.Auditor), Expiry: &r.Expiry, Custodian: r.Custodian, SuspendedAt: &r.SuspendedAt}
	case goods.Bond:
		j.Bond = &actJSON{Custodian: r.Custodian, ReturnScript: hexOf(r.ReturnScript)}
	case goods.Unbond:
		step := [...]string{goods.UnbondAnnounce: "announce", goods.UnbondWithdraw: "withdraw", goods.UnbondCancel: "cancel"}[r.Step]
		j.Unbond = &actJSON{Step: step, Custodian: r.Custodian, Units: amount(r.Units)}
	case goods.Amend:
		j.Amend = explainAmend(&r)
	case goods.Reseat:
		j.Reseat = explainReseat(&r)
	}
}

func seatName(role state.Role, index uint16) string {
	return (&state.Seat{Role: role, Index: index}).ID()
}

func claimsOf(refs ...goods.ClaimRef) *claimsJSON {
	j := &claimsJSON{}
	for i := range refs {
		j.Claims = append(j.Claims, claimRefJSON{Claim: refs[i].Number, ID: hexOf(refs[i].ID[:])})
	}
	return j
}

func explainReceive(r *goods.Receive) *receiveJSON {
	j := &receiveJSON{
		Custodian: r.Custodian, Expiry: r.Expiry, ObservedHeight: r.Observed.Height, ObservedHash: r.Observed.Hash.String(),
	}
	for i := range r.Openings {
		o := &r.Openings[i]
		j.Receipts = append(j.Receipts, openingJSON{
			Good: o.Good, Registry: o.Registry, Lot: o.Serial, Quantity: o.Quantity,
			Document: hexOf(o.Document[:]), Location: o.Location, Script: hexOf(o.Script),
		})
	}
	return j
}
