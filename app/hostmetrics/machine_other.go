//go:build !linux

package hostmetrics

// Machine measures the Go runtime alone: there is no /proc here.
func Machine() Source { return Source{} }
