package requests

import (
	"kibitz/app/model"
	"kibitz/app/store"
)

// found is what a detector found in a request.
type found struct{}

type findings struct{}

func newFindings() *findings { return &findings{} }

func (f *findings) add(*item) {}

func (f *findings) events(*batch) ([]model.FindingEvent, []store.FindingSeen) { return nil, nil }

// FoundNames are the kinds of findings that a row's bits stand for, as people call them.
func FoundNames(bits int32) []string { return nil }
