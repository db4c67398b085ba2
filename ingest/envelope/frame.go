package envelope

import "github.com/valyala/fastjson"

// stack reads frames; of very many the middle is cut, since the ends say most.
func (r *parser) stack(v *fastjson.Value) *Stacktrace {
	if !isObject(v) {
		return nil
	}
	frames := v.Get("frames")
	if frames == nil || frames.Type() != fastjson.TypeArray {
		return nil
	}
	all := list(frames)
	out := &Stacktrace{}
	if extra := len(all) - maxFrames; extra > 0 {
		r.note("%d of %d frames were left out", extra, len(all))
		out.Omitted = extra
		all = append(append([]*fastjson.Value{}, all[:oldFrames]...), all[len(all)-(maxFrames-oldFrames):]...)
	}
	out.Frames = r.room(len(all))
	for _, f := range all {
		if isObject(f) {
			out.Frames = append(out.Frames, Frame{})
			r.frame(f, &out.Frames[len(out.Frames)-1])
		}
	}
	if len(out.Frames) == 0 {
		out.Frames = nil
	}
	return out
}

// frame reads the members of a frame in one pass: to look each of them up by name would compare hundreds of names.
func (r *parser) frame(f *fastjson.Value, out *Frame) {
	seen := frameMember(0) // the first of several members with one name counts
	var data *fastjson.Value
	o, _ := f.Object()
	o.Visit(func(key []byte, v *fastjson.Value) {
		m := frameMembers(key)
		if seen&m != 0 {
			return
		}
		if seen |= m; m == memberData {
			data = v
		} else {
			r.frameMember(m, v, out)
		}
	})
	r.frameData(data, out) // what it says about in_app overrules the member of that name
	if r.full {
		r.frameDetails(f, out)
	}
}

// frameMember is a set of the members of a frame that grouping needs.
type frameMember uint16

const (
	memberFilename frameMember = 1 << iota
	memberAbsPath
	memberFunction
	memberRawFunction
	memberModule
	memberPackage
	memberPlatform
	memberLine
	memberColumn
	memberContextLine
	memberInApp
	memberData
)

func frameMembers(key []byte) frameMember {
	switch string(key) {
	case "filename":
		return memberFilename
	case "abs_path":
		return memberAbsPath
	case "function":
		return memberFunction
	case "raw_function":
		return memberRawFunction
	case "module":
		return memberModule
	case "package":
		return memberPackage
	case "platform":
		return memberPlatform
	case "lineno":
		return memberLine
	case "colno":
		return memberColumn
	case "context_line":
		return memberContextLine
	case "in_app":
		return memberInApp
	case "data":
		return memberData
	}
	return 0
}

func (r *parser) frameMember(m frameMember, v *fastjson.Value, out *Frame) {
	switch m {
	case memberFilename:
		out.Filename = r.str(v, maxPath)
	case memberAbsPath:
		out.AbsPath = r.str(v, maxPath)
	case memberFunction:
		out.Function = r.str(v, maxName)
	case memberRawFunction:
		out.RawFunction = r.str(v, maxName)
	case memberModule:
		out.Module = r.str(v, maxName)
	case memberPackage:
		out.Package = r.str(v, maxPath)
	case memberPlatform:
		out.Platform = r.str(v, 64)
	case memberLine:
		out.Line = number(v)
	case memberColumn:
		out.Column = number(v)
	case memberContextLine:
		out.ContextLine = r.str(v, maxLine)
	case memberInApp:
		out.InApp = r.boolean(v)
	}
}

func (r *parser) frameData(data *fastjson.Value, out *Frame) {
	if !isObject(data) {
		return
	}
	out.SourceMapped = data.Exists("sourcemap")
	if out.ClientInApp = r.boolean(data.Get("client_in_app")); out.ClientInApp == nil {
		r.clientInApp(data.Get("orig_in_app"), out)
	}
}

// clientInApp takes what a client said before another tracker's rules changed it: a boolean, or -1 for nothing, 0 or 1.
func (r *parser) clientInApp(v *fastjson.Value, out *Frame) {
	if out.ClientInApp = r.boolean(v); out.ClientInApp != nil || v == nil || v.Type() != fastjson.TypeNumber {
		return
	}
	out.InApp = nil
	switch n := v.GetInt(); {
	case n == 1:
		out.ClientInApp = &r.yes
	case n >= 0:
		out.ClientInApp = &r.no
	}
}

func (r *parser) frameDetails(f *fastjson.Value, out *Frame) {
	out.PreContext, out.PostContext, out.Vars = lines(f.Get("pre_context")), lines(f.Get("post_context")), fields(f.Get("vars"))
	out.InstructionAddr, out.SymbolAddr = str(f.Get("instruction_addr"), 32), str(f.Get("symbol_addr"), 32)
	out.ImageAddr, out.AddrMode, out.Lock = str(f.Get("image_addr"), 32), str(f.Get("addr_mode"), 32), isObject(f.Get("lock"))
}

func lines(v *fastjson.Value) []string {
	if v == nil || v.Type() != fastjson.TypeArray {
		return nil
	}
	var out []string
	for _, l := range list(v) {
		if len(out) < 50 {
			out = append(out, str(l, maxLine))
		}
	}
	return out
}
