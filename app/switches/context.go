package switches

import (
	"maps"
	"slices"

	"kibitz/app/errs"
)

// SubjectOf reads the context of an evaluation, as OpenFeature has it: targetingKey (or user) is the id; anonymous, ip, forum,
// role, country, host and release are what they say; all else is an attribute under its name, of nested objects with dots. With
// anonymous true, the targetingKey is the id of a browser. Unknown attributes are no error; one that cannot be read, or is over a
// limit, is errs.Invalid with the name of the attribute.
func SubjectOf(context map[string]any) (Subject, error) {
	var s Subject
	for _, key := range []string{"targetingKey", "user"} {
		if v, ok := context[key]; ok && v != nil {
			if err := scalarID(key, v); err != nil {
				return Subject{}, err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(context)) {
		if name == "targetingKey" {
			continue // last, since it outranks user
		}
		if err := s.set(name, context[name], 0); err != nil {
			return Subject{}, err
		}
	}
	if v := context["targetingKey"]; v != nil && v != "" {
		if err := s.set("targetingKey", v, 0); err != nil {
			return Subject{}, err
		}
	}
	if context["anonymous"] == true {
		s.Anonymous, s.ID = s.ID, ""
	}
	return s, nil
}

func scalarID(key string, v any) error {
	switch v.(type) {
	case []any, []string, map[string]any, bool:
		return invalid("%s is a %T; it has to be a text", key, v)
	}
	return nil
}

// nested adds the fields of an object, as name.field.
func (s *Subject) nested(name string, m map[string]any, depth int) error {
	if depth > MaxAttrDepth {
		return invalid("attribute %q has objects within objects, more than %d deep", cut(name), MaxAttrDepth)
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		full := name + "." + key
		if len(full) > MaxAttrName {
			return invalid("the name of attribute %q is longer than %d bytes", cut(full), MaxAttrName)
		}
		if err := s.set(full, m[key], depth); err != nil {
			return err
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return errs.New(errs.Invalid, "The context cannot be used: "+format+".", args...)
}

// cut keeps foreign text in messages short.
func cut(s string) string {
	if len(s) > 60 {
		return s[:57] + "..."
	}
	return s
}
