package views

import "kibitz/app/model"

// HashesProps is the hashes that lead to an issue.
type HashesProps struct {
	Issue   model.Issue
	Project model.Project
	ShortID string
	Hashes  []HashRow
	Refiles []RefileRow
	Error   string
}

// HashRow is one of them. FromShort is the short id of the issue that it came from by a merge; "" when it was always
// here.
type HashRow struct {
	model.IssueHash
	From    string
	Checked bool
}
