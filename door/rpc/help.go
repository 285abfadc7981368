package rpc

import (
	"fmt"
	"strings"
)

// usage is the one-line form: name, required parameters, optional ones in
// brackets.
func (m *Method) usage() string {
	var b strings.Builder
	b.WriteString(m.Name)
	open := 0
	for i := range m.Params {
		p := &m.Params[i]
		b.WriteByte(' ')
		if p.Optional {
			b.WriteString("( ")
			open++
		}
		if paramTypes[p.Type].kind == String {
			fmt.Fprintf(&b, "%q", p.Name)
		} else {
			b.WriteString(p.Name)
		}
	}
	b.WriteString(strings.Repeat(" )", open))
	return b.String()
}

// Help is the full text on a method: usage, what it does, its parameters with
// types and units, what it answers, an example.
func (m *Method) Help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", m.usage(), m.Summary)
	if m.Detail != "" {
		fmt.Fprintf(&b, "%s\n", m.Detail)
	}
	if len(m.Params) > 0 {
		b.WriteString("\nArguments:\n")
	}
	for i := range m.Params {
		p := &m.Params[i]
		state := "required"
		if p.Optional {
			state = "optional"
			if p.Default != "" {
				state += ", default=" + p.Default
			}
		}
		fmt.Fprintf(&b, "%d. %s (%s, %s) %s\n", i+1, p.Name, paramTypes[p.Type].help, state, p.Help)
	}
	fmt.Fprintf(&b, "\nResult:\n%s\n\nExample:\n> granary rpc %s\n", m.Result, m.exampleCall())
	return b.String()
}

func (m *Method) exampleCall() string {
	words := []string{m.Name}
	for i := range m.Params {
		if m.Params[i].Optional {
			break
		}
		words = append(words, strings.ToUpper(m.Params[i].Name))
	}
	return strings.Join(words, " ")
}

// overview lists every method by family.
func overview(methods []Method) string {
	var b strings.Builder
	family := ""
	for i := range methods {
		m := &methods[i]
		if m.Family != family {
			if family != "" {
				b.WriteByte('\n')
			}
			family = m.Family
			fmt.Fprintf(&b, "== %s ==\n", family)
		}
		fmt.Fprintf(&b, "%s\n", m.usage())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
