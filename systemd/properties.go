package systemd

import "time"

// newUnit converts D-Bus properties. A unit that is not loaded lacks the properties of its type.
func newUnit(name string, props map[string]any) Unit {
	u := Unit{
		Name:             name,
		LoadState:        property[string](props, "LoadState"),
		ActiveState:      property[string](props, "ActiveState"),
		SubState:         property[string](props, "SubState"),
		UnitFileState:    property[string](props, "UnitFileState"),
		FragmentPath:     property[string](props, "FragmentPath"),
		DropInPaths:      property[[]string](props, "DropInPaths"),
		NeedDaemonReload: property[bool](props, "NeedDaemonReload"),
		MainPID:          property[uint32](props, "MainPID"),
		Result:           property[string](props, "Result"),
		ExecMainStatus:   property[int32](props, "ExecMainStatus"),
		NRestarts:        property[uint32](props, "NRestarts"),
	}
	u.ActiveEnter = moment(props, "ActiveEnterTimestamp")
	u.MainStart = moment(props, "ExecMainStartTimestamp")
	return u
}

// moment is a time in microseconds; systemd says 0 for never.
func moment(props map[string]any, name string) time.Time {
	usec := property[uint64](props, name)
	if usec == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(usec))
}

// property is the zero value when the property is missing or of another type.
func property[T any](props map[string]any, name string) T {
	v, _ := props[name].(T)
	return v
}
