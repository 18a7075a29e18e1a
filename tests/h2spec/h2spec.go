//go:build tools

// Package h2spec names the program that test_h2spec.py builds, so that go.sum pins it and what it needs.
package h2spec

import _ "github.com/summerwind/h2spec/cmd/h2spec"
