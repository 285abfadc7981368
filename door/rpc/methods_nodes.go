package rpc

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"granary/p2p"
	"granary/p2p/addr"
	"granary/p2p/peer"
)

func nodeMethods() []Method {
	return []Method{
		{
			Name: "addnode", Family: familyNetwork,
			Summary: "Keeps a connection to a node, does not any more, or tries once.",
			Params: []Param{
				{Name: "node", Type: Text, Help: "The address, with or without a port."},
				{Name: "command", Type: Text, Help: "add, remove or onetry."},
				{Name: "v2transport", Type: Boolean, Optional: true, Default: "as the node is set", Help: "Try the encrypted transport first; true is refused where it is off."},
			},
			Result: "null",
			run:    addNode,
		},
		{
			Name: "getaddednodeinfo", Family: familyNetwork,
			Summary: "Lists the nodes of addnode.",
			Params:  []Param{{Name: "node", Type: Text, Optional: true, Help: "Only this one."}},
			Result:  "An array of objects: addednode, connected, addresses (address, connected: inbound or outbound).",
			run:     getAddedNodeInfo,
		},
		{
			Name: "addconnection", Family: familyNetwork,
			Summary: "Opens a connection of a kind at once (regtest only).",
			Params: []Param{
				{Name: "address", Type: Text, Help: "IP address and port."},
				{Name: "connection_type", Type: Text, Help: "outbound-full-relay, block-relay-only, addr-fetch or feeler."},
				{Name: "v2transport", Type: Boolean, Help: "Try the encrypted transport first."},
			},
			Result: "An object with address and connection_type.",
			run:    addConnection,
		},
		{
			Name: "setban", Family: familyNetwork,
			Summary: "Shuts a block of addresses out, or lets it in again.",
			Params: []Param{
				{Name: "subnet", Type: Text, Help: "An address, or a block as 192.0.2.0/24."},
				{Name: "command", Type: Text, Help: "add or remove."},
				{Name: "bantime", Type: Integer, Optional: true, Default: "0", Help: "Seconds, or with absolute Unix seconds; 0 is the setting bantime."},
				{Name: "absolute", Type: Boolean, Optional: true, Default: "false", Help: "bantime is a moment."},
			},
			Result: "null",
			run:    setBan,
		},
		{
			Name: "listbanned", Family: familyNetwork,
			Summary: "Lists who is shut out.",
			Result:  "An array of objects: address, ban_created and banned_until (Unix seconds), ban_duration and time_remaining (seconds).",
			run:     listBanned,
		},
		{
			Name: "clearbanned", Family: familyNetwork,
			Summary: "Lets everybody in again.",
			Result:  "null",
			run: func(c *call) (any, error) {
				net, err := c.network()
				if err != nil {
					return nil, err
				}
				return nil, net.Bans().Clear()
			},
		},
	}
}

func addNode(c *call) (any, error) {
	command := c.text("command", "")
	if command != "add" && command != "remove" && command != "onetry" {
		return nil, errorf(CodeMisc, "%s", c.method.Help())
	}
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	if c.flag("v2transport", false) && !net.V2 {
		return nil, errorf(CodeInvalidParameter, "Error: v2transport requested but not enabled (see -v2transport)")
	}
	name := c.text("node", "")
	switch command {
	case "add":
		err = net.AddNode(name)
	case "remove":
		err = net.RemoveNode(name)
	default:
		err = net.TryNode(name)
	}
	switch {
	case errors.Is(err, p2p.ErrAdded):
		return nil, errorf(codeNodeAdded, "Error: Node already added")
	case errors.Is(err, p2p.ErrNotAdded):
		return nil, errorf(codeNodeNotAdded, "Error: Node could not be removed. It has not been added previously.")
	}
	return nil, err
}

func getAddedNodeInfo(c *call) (any, error) {
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	only := c.text("node", "")
	out := []object{}
	for _, node := range net.AddedNodes() {
		if only != "" && node.Name != only {
			continue
		}
		addresses := []object{}
		if node.Connected {
			way := "outbound"
			if node.Inbound {
				way = "inbound"
			}
			addresses = append(addresses, object{{"address", node.Addr}, {"connected", way}})
		}
		out = append(out, object{{"addednode", node.Name}, {"connected", node.Connected}, {"addresses", addresses}})
	}
	if only != "" && len(out) == 0 {
		return nil, errorf(codeNodeNotAdded, "Error: Node has not been added.")
	}
	return out, nil
}

func addConnection(c *call) (any, error) {
	if !c.server.opts.Net.NoRetargeting {
		return nil, errorf(CodeMisc, "addconnection is for regression testing (-regtest mode) only.")
	}
	name, word := c.text("address", ""), c.text("connection_type", "")
	kind := peer.Inbound
	for one, text := range kindNames {
		if text == word && one != peer.Manual {
			kind = one
		}
	}
	if kind == peer.Inbound {
		return nil, errorf(CodeInvalidParameter, "%s", c.method.Help())
	}
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	v2 := c.flag("v2transport", false)
	if v2 && !net.V2 {
		return nil, errorf(CodeInvalidParameter, "Error: Adding v2transport connections requires -v2transport init flag to be set.")
	}
	if err := net.AddConnection(name, kind, !v2); errors.Is(err, p2p.ErrCapacity) {
		return nil, errorf(codeNodeCapacity, "Error: Already at capacity for specified connection type.")
	} else if err != nil {
		return nil, err
	}
	return object{{"address", name}, {"connection_type", word}}, nil
}

func setBan(c *call) (any, error) {
	command := c.text("command", "")
	if command != "add" && command != "remove" {
		return nil, errorf(CodeMisc, "%s", c.method.Help())
	}
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	block, err := addr.ParseBlock(c.text("subnet", ""))
	if err != nil {
		return nil, errorf(codeInvalidSubnet, "Error: Invalid IP/Subnet")
	}
	if command == "remove" {
		if err := net.Bans().Remove(block); errors.Is(err, addr.ErrNotBanned) {
			return nil, errorf(codeInvalidSubnet, "Error: Unban failed. Requested address/subnet was not previously manually banned.")
		} else if err != nil {
			return nil, err
		}
		return nil, nil
	}
	return nil, c.ban(net, block)
}

func (c *call) ban(net *Net, block netip.Prefix) error {
	// An address inside a banned block is banned already; a block inside of
	// another is not.
	if net.Bans().Block(block) || !strings.Contains(c.text("subnet", ""), "/") && net.Bans().Banned(block.Addr()) {
		return errorf(codeNodeAdded, "Error: IP/Subnet already banned")
	}
	given, err := c.integer("bantime", 0)
	if err != nil {
		return err
	}
	now := c.Clock.Now()
	until := now.Add(net.BanFor)
	switch {
	case c.flag("absolute", false):
		if until = time.Unix(given, 0); until.Before(now) {
			return errorf(CodeInvalidParameter, "Error: Absolute timestamp is in the past")
		}
	case given > 0:
		until = time.Unix(now.Unix()+min(given, 1<<40), 0)
	}
	if err := net.Ban(block, until); errors.Is(err, addr.ErrBanned) {
		return errorf(codeNodeAdded, "Error: IP/Subnet already banned")
	} else if err != nil {
		return err
	}
	return nil
}

func listBanned(c *call) (any, error) {
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	now := c.Clock.Now().Unix()
	out := []object{}
	for _, ban := range net.Bans().List() {
		out = append(out, object{
			{"address", ban.Net.String()},
			{"ban_created", ban.Created},
			{"banned_until", ban.Until},
			{"ban_duration", ban.Until - ban.Created},
			{"time_remaining", max(0, ban.Until-now)},
		})
	}
	return out, nil
}
