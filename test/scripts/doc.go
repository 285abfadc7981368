// Package scripts holds transcripts of the command line: each file in testdata
// is a session as a person would type it, with what the person would see. Run
// them with go test; they build nothing and reach nobody.
package scripts
