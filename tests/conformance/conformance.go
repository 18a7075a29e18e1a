//go:build tools

// Package conformance names the program that test_conformance.py builds, so that go.sum pins it and what it needs.
package conformance

import _ "connectrpc.com/conformance/cmd/connectconformance"
