package plan

import "regexp"

// userinfo is the user and password of a URL (RFC 3986, section 3.2.1).
var userinfo = regexp.MustCompile(`(://)[^/@\s"']+:[^/@\s"']+@`)

// Redact takes the passwords out of the URLs of a text that is shown. Proxy variables are the usual place: they are written into
// static pods that are no secrets otherwise.
func Redact(text string) string { return userinfo.ReplaceAllString(text, "${1}<redacted>@") }
