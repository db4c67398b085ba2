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

// HashRow is one of them. From is the short id of the issue that it came from by a merge; "" when it was always
// here.
type HashRow struct {
	model.IssueHash
	From    string
	Checked bool
}

// hashesSentence says what the hashes of an issue mean.
func hashesSentence(p HashesProps) string {
	merged := 0
	for _, h := range p.Hashes {
		if h.From != "" {
			merged++
		}
	}
	text := manyOf(int64(len(p.Hashes)), "hash leads", "hashes lead") + " to this issue: an event with any of them lands here."
	if merged > 0 {
		text += " " + full(int64(merged)) + " of them came by a merge."
	}
	return text
}
