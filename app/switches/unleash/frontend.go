package unleash

import (
	"bytes"
	"encoding/json"
	"strconv"

	"kibitz/app/switches/jsonout"
)

// payloadOf is a variant's value as Unleash's clients take it; nil for none, for true and false, and for what is only its name.
func payloadOf(name string, value json.RawMessage) *Payload {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || string(value) == "true" || string(value) == "false" || string(value) == "null" {
		return nil
	}
	switch c := value[0]; {
	case c == '"':
		var text string
		if json.Unmarshal(value, &text) != nil || text == name {
			return nil
		}
		return &Payload{"string", text}
	case c == '-' || c >= '0' && c <= '9':
		return &Payload{"number", string(value)}
	}
	return &Payload{"json", string(value)}
}

// Toggle is one switch that is on, as GET /api/frontend tells.
type Toggle struct {
	Name        string        `json:"name"`
	Enabled     bool          `json:"enabled"`
	Impressions bool          `json:"impressionData"`
	Variant     ToggleVariant `json:"variant"`
}

// ToggleVariant is the answer behind a toggle.
type ToggleVariant struct {
	Name           string   `json:"name"`
	Enabled        bool     `json:"enabled"`
	Payload        *Payload `json:"payload,omitempty"`
	FeatureEnabled bool     `json:"feature_enabled"`
}

// ToggleOf is what a subject's answer becomes; only those that are on are told. Of a switch without variants the variant is
// disabled.
func ToggleOf(key, variant string, value json.RawMessage, boolean bool) Toggle {
	t := Toggle{Name: key, Enabled: true, Variant: ToggleVariant{Name: "disabled", FeatureEnabled: true}}
	if !boolean {
		t.Variant = ToggleVariant{Name: variant, Enabled: true, Payload: payloadOf(variant, value), FeatureEnabled: true}
	}
	return t
}

// AppendToggle writes a toggle as JSON.
func AppendToggle(b []byte, t Toggle) []byte {
	b = append(b, `{"name":`...)
	b = jsonout.Text(b, t.Name)
	b = append(b, `,"enabled":true,"impressionData":false,"variant":{"name":`...)
	b = jsonout.Text(b, t.Variant.Name)
	b = append(b, `,"enabled":`...)
	b = strconv.AppendBool(b, t.Variant.Enabled)
	if p := t.Variant.Payload; p != nil {
		b = append(b, `,"payload":{"type":`...)
		b = jsonout.Text(b, p.Type)
		b = append(b, `,"value":`...)
		b = jsonout.Text(b, p.Value)
		b = append(b, '}')
	}
	return append(b, `,"feature_enabled":true}}`...)
}
